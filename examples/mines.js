// Shows the board of mines.py and sends what was clicked. The rules of the game are in mines.py.
{
  const server = document.serverConnection;
  const board = document.querySelector('#board');

  const show = (button, face) => {
    button.className = face === 'closed' || face === 'flag' ? '' : 'open';
    button.textContent = { closed: '', flag: '⚑', '*': '✹' }[face] ?? face;
  };

  const build = (cells) => {
    board.replaceChildren(
      ...cells.flatMap((row, y) =>
        row.map((_, x) => {
          const button = document.createElement('button');
          button.ariaLabel = `column ${x + 1}, row ${y + 1}`;
          button.onclick = () => server.send('click', { x, y });
          button.oncontextmenu = (event) => {
            event.preventDefault();
            server.send('flag', { x, y });
          };
          return button;
        }),
      ),
    );
  };

  document.querySelector('#new').onclick = () => server.send('new');
  server.onboard = ({ state, left, cells }) => {
    if (!board.children.length) build(cells);
    cells.flat().forEach((face, i) => show(board.children[i], face));
    document.querySelector('#state').textContent = {
      playing: `${left} mines left`,
      won: 'You won.',
      lost: 'That was a mine.',
    }[state];
  };
}
