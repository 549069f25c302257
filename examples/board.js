// Draws the strokes of the topic, and sends those drawn here: in pieces while the pen is down, and
// whole when the pen is lifted.
{
  const server = document.serverConnection;
  const canvas = document.querySelector('#board');
  const context = canvas.getContext('2d');
  let color;
  let stroke; // while the pen is down: its points
  let sent = 0; // how many of them the others have
  let waits = false; // for the next frame, to send a piece

  const draw = (points, ink) => {
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x, y);
    Object.assign(context, { strokeStyle: ink, lineWidth: 4, lineCap: 'round', lineJoin: 'round' });
    context.stroke();
  };

  const sendPiece = () => {
    waits = false;
    if (!stroke) return;
    server.send('line', stroke.slice(Math.max(0, sent - 1)));
    sent = stroke.length;
  };

  const at = (event) =>
    [event.offsetX, event.offsetY].map((n) => Math.round((n * canvas.width) / canvas.clientWidth));

  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    stroke = [at(event), at(event)];
    sent = 0;
    draw(stroke, color);
  };
  canvas.onpointermove = (event) => {
    if (!stroke || stroke.length >= 4000) return;
    stroke.push(at(event));
    draw(stroke.slice(-2), color);
    if (!waits) requestAnimationFrame(sendPiece);
    waits = true;
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    if (stroke) server.send('stroke', stroke);
    stroke = undefined;
  };
  document.querySelector('#clear').onclick = () => server.send('clear');

  server.onme = (me) => {
    color = me.color;
  };
  server.onstroke = (done) => draw(done.points, done.color);
  server.onclear = () => context.clearRect(0, 0, canvas.width, canvas.height);
  server.onpeople = (people) => {
    document.querySelector('#people').replaceChildren(
      ...people.map(({ name, color: ink }) => {
        const item = document.createElement('li');
        item.textContent = name;
        item.style.setProperty('--color', ink);
        return item;
      }),
    );
  };
}
