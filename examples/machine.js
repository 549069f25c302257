// Draws what machine.py sends: two charts of the last two minutes, and a table.
{
  const SECONDS = 120;
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

  class Chart {
    #canvas;
    #values = [];

    constructor(selector) {
      this.#canvas = document.querySelector(selector);
    }

    push(value) {
      this.#values = [...this.#values, value].slice(-SECONDS);
      const { width, height } = this.#canvas;
      const context = this.#canvas.getContext('2d');
      const x = (i) => width - (this.#values.length - 1 - i) * (width / (SECONDS - 1));
      const y = (v) => height - 6 - v * (height - 12);
      context.clearRect(0, 0, width, height);
      context.beginPath();
      this.#values.forEach((v, i) => context.lineTo(x(i), y(v)));
      context.strokeStyle = color('--accent');
      context.lineWidth = 2;
      context.stroke();
      context.lineTo(width, height);
      context.lineTo(x(0), height);
      context.globalAlpha = 0.15;
      context.fillStyle = color('--accent');
      context.fill();
      context.globalAlpha = 1;
    }
  }

  const percent = (share) => `${Math.round(share * 100)} %`;
  const gib = (bytes) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const mib = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const cpu = new Chart('#cpu-chart');
  const memory = new Chart('#memory-chart');

  document.serverConnection.onsample = (sample) => {
    cpu.push(sample.cpu);
    memory.push(sample.memory.used / sample.memory.total);
    document.querySelector('#cpu').textContent =
      `${percent(sample.cpu)}, load ${sample.load[0].toFixed(2)}`;
    document.querySelector('#memory').textContent =
      `${gib(sample.memory.used)} of ${gib(sample.memory.total)}`;
    document.querySelector('#top').replaceChildren(
      ...sample.top.map((process) => {
        const row = document.createElement('tr');
        for (const text of [process.pid, process.name, percent(process.cpu), mib(process.memory)])
          row.insertCell().textContent = text;
        return row;
      }),
    );
  };
}
