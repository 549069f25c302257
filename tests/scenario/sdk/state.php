#!/usr/bin/env php
<?php
// The program of sdk-state.test.mjs, by the PHP helper.
require getenv('HTTPSOCKET_SDK') . '/php/httpsocket.php';

$page = new HttpSocket\Page();
if ($page->request->query()['unused'] ?? false) {
    $page->on('add', fn ($n) => $page->send('total', $n));
    $page->show('<!doctype html><title>state</title>');
    $page->run();
    exit;
}

$page->state = ['notes' => [], 'pad' => ''];
$note = function ($n) use ($page) {
    $page->state['notes'][] = [$n, $page->resent];
    $page->send('noted', $n);
};
$page->onRestored(function ($told) use ($page) {
    $page->send('restored', [$told->why, $told->resent, $page->state['notes']]);
    if ($page->request->query()['fail'] ?? false) {
        throw new Exception('a restore that throws');
    }
});
$page->on('note', $note);
$page->handle('notes', fn () => $page->state['notes']);
$page->on('look', fn () => $page->send('looked'));
$page->on('throw', function ($n) use ($note) {
    $note($n);
    throw new Exception('thrown on purpose');
});
$page->on('die', function ($n) use ($page) {
    $page->state['notes'][] = [$n, $page->resent];
    if (!$page->resent) {
        posix_kill(getmypid(), SIGKILL);
    }
});
$page->on('quit', function ($n) use ($note) {
    $note($n);
    exit(3);
});
$page->on('pad', function ($size) use ($page) {
    $page->state['pad'] = str_repeat('x', $size);
});
$page->on('bad', function () use ($page) {
    try {
        $page->state = ['closure' => fn () => 1];
    } catch (JsonException $error) {
        $page->send('refused', $error->getMessage());
    }
    $page->state['pad'] = NAN;
});
$page->on('ask', fn ($n) => $note($page->call('name', $n)));
$page->problem(fn ($what) => $page->send('told', $what->command));
$page->show('<!doctype html><title>state</title>');
$page->send('started', ['pid' => getmypid(), 'restored' => $page->isRestored]);
$page->run();
