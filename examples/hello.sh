#!/bin/sh
# Events in both directions, in plain sh: the page sends one for each click, and the script that
# made the page answers.
. "$HTTPSOCKET_SDK/sh/httpsocket.sh"

page_show <<PAGE
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Hello from sh</title>
<link rel="stylesheet" href="style.css">
<script src="/.httpsocket/client.js"></script>
<script src="link.js"></script>
<h1>Hello from sh</h1>
<p>This page was made by process <b>$$</b>, which is still there.</p>
<p><button id="test">Where do you live?</button>
  <span id="answer" class="soft">not asked yet</span></p>
<script>
  const server = document.serverConnection;
  document.querySelector('#test').onclick = () =>
    server.send('test_click', { name: 'Frode Børli' });
  server.onwhatever = (message) => {
    document.querySelector('#answer').textContent =
      \`\${message.name} lives in \${message.city} (asked \${message.clicks} times)\`;
  };
</script>
PAGE

clicks=0 # a variable of the script is the whole state
while page_next; do
    case $event in
    test_click)
        clicks=$((clicks + 1))
        page_send whatever "{\"name\":$(page_string "$(page_get name)"),\"city\":\"Oslo\",\"clicks\":$clicks}"
        ;;
    esac
done
