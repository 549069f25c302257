// A badge that shows the state of the page's connection. The examples include it after client.js.
{
  const badge = document.createElement('div');
  badge.id = 'link';
  const show = (state) => {
    badge.dataset.state = state;
    badge.textContent = state;
  };
  show('connecting');
  document.addEventListener('DOMContentLoaded', () => document.body.append(badge));
  const connection = document.serverConnection;
  connection.addEventListener('open', () => show('connected'));
  connection.addEventListener('resume', () => show('connected'));
  connection.addEventListener('suspend', () => show('reconnecting'));
  connection.addEventListener('close', (event) => show(`ended: ${event.reason || event.code}`));
}
