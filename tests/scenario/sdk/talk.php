#!/usr/bin/env php
<?php
// The conversation of sdk.test.mjs, by the PHP helper.
require getenv('HTTPSOCKET_SDK') . '/php/httpsocket.php';

use HttpSocket\{CallError, CallTimeout, Failure, Page, StreamReset};
use function HttpSocket\{escape, script_json};

$page = new Page();
$request = $page->request;
if (isset($request->query()['refuse'])) {
    $page->refuse(401, 'not you', realm: 'the test', retry: 7, path: '/');
}

$received = [];
$page->on('echo', fn ($data) => $page->send('echo', $data));
$page->on('put', function (int $number) use (&$received) {
    $received[] = $number;
});
$page->handle('report', function () use (&$received) {
    $in_order = $received === array_keys($received);
    return ['count' => count($received), 'in_order' => $in_order, 'pid' => getmypid()];
});
$page->on('flood', function (int $count) use ($page) {
    for ($i = 0; $i < $count; $i++) {
        $page->send('n', $i);
    }
});
$page->handle('add', fn ($numbers) => array_sum($numbers));
$page->handle('same', fn ($data) => $data);
$page->handle('count', function (int $n) {
    for ($i = 0; $i < $n; $i++) {
        yield $i;
    }
});
$page->handle('refused', fn ($what) => throw new Failure("no $what", ['code' => 7]));
$page->handle('crash', fn () => throw new RuntimeException('a secret of the program'));
$page->on('throw', fn () => throw new RuntimeException('thrown on purpose'));
$page->on('ask', function ($what) use ($page) {
    try {
        $page->send('asked', ['answer' => $page->call($what->name, $what->data, $what->timeout)]);
    } catch (CallError $error) {
        $page->send('asked', ['failure' => $error->getMessage()]);
    } catch (CallTimeout) {
        $page->send('asked', ['timeout' => true]);
    }
});
$page->on('collect', function ($name) use ($page) {
    $page->send('collected', iterator_to_array($page->stream($name), false));
});
$page->on('print', function ($text) {
    echo "$text\n";
});
$page->on('watch', function () use ($page) {
    $options = ['as' => 'test_click', 'prevent' => true];
    $clicked = fn ($event) => $page->send('clicked', $event);
    $name = $page->listen('click', '#test', $options, $clicked);
    $page->unlisten($name);
    $page->dom(['select' => '#n', 'text' => '<5>']);
    $page->dom(['select' => '#a', 'remove' => true], ['select' => '#b', 'focus' => true]);
});
$page->problem(fn ($what) => $page->send('told', ['problem', $what->command]));
$page->on('join', function ($topic) use ($page) {
    $page->subscribe(
        $topic,
        ['history' => 2, 'presence' => ['name' => 'py']],
        fn ($event) => $page->send('heard', [$event->event, $event->data]),
        function ($change) use ($page) {
            $page->send('here', array_column($change->here ?? $change->joined ?? [], 'data'));
        },
    );
    $page->publish($topic, 'stroke', ['x' => 1]);
});
$page->on('part', fn ($topic) => $page->unsubscribe($topic));
$page->onStream('upload', function ($stream) use ($page) {
    if ($stream->data->size > 10_000_000) {
        $stream->reset('too-large');
        return;
    }
    try {
        foreach ($stream->pieces() as $piece) {
            $stream->write($piece);
        }
    } catch (StreamReset $end) {
        $page->send('broken', $end->reason);
    }
});
$page->on('leave', fn ($reason) => $page->close($reason));
$page->attached(fn ($info) => $page->send('told', ['attach', $info->resumed]));
$page->ended(fn () => fwrite(STDERR, "ended\n"));

$told = [
    'method' => $request->method(),
    'name' => $request->query()['name'] ?? null,
    'agent' => $request->header('X-Test'),
    'field' => $request->form()['field'] ?? null,
];
$page->show('<!doctype html><title>' . escape('<talk> & "more"') . '</title><script>const told = ' . script_json($told) . '</script>');
$page->run();
