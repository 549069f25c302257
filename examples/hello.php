#!/usr/bin/env php
<?php
// Events in both directions, in PHP: the page sends one for each click, and the script that made
// the page answers.
require getenv('HTTPSOCKET_SDK') . '/php/httpsocket.php';

$page = new HttpSocket\Page();
$page->begin();
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Hello from PHP</title>
<link rel="stylesheet" href="style.css">
<script src="/.httpsocket/client.js"></script>
<script src="link.js"></script>
<h1>Hello from PHP</h1>
<p>This page was made by process <b><?= getmypid() ?></b>, which is still there.</p>
<p><button id="test">Where do you live?</button>
  <span id="answer" class="soft">not asked yet</span></p>
<script>
  const server = document.serverConnection;
  document.querySelector('#test').onclick = () =>
    server.send('test_click', { name: 'Frode Børli' });
  server.onwhatever = (message) => {
    document.querySelector('#answer').textContent = `${message.name} lives in ${message.city} (asked ${message.clicks} times)`;
  };
</script>
<?php
$page->end(); // the page is complete; the script stays

$clicks = 0; // a variable of the script is the whole state
foreach ($page->events() as $event) {
    if ($event->name === 'test_click') {
        $clicks++;
        $answer = ['name' => $event->data->name, 'city' => 'Oslo', 'clicks' => $clicks];
        $page->send('whatever', $answer);
    }
}
