#!/usr/bin/env php
<?php
// SPDX-License-Identifier: MIT
// Rows of tests/vectors/lines.json, by the PHP helper: JSON on stdin says which, and JSON on stdout
// what came of them.
declare(strict_types=1);

require getenv('HTTPSOCKET_SDK') . '/php/httpsocket.php';

function told(HttpSocket\Message $m): array
{
    $fields = [
        'kind' => $m->kind,
        'name' => $m->name,
        'call' => (int) $m->call,
        'bare' => $m->bare,
        'session' => $m->session,
        'problem' => $m->problem !== '',
    ];
    $bytes = $m->data instanceof HttpSocket\Bytes;
    return $fields + ($bytes ? ['bytes' => base64_encode($m->data->bytes)] : ['data' => $m->data]);
}

/** @param list<string> $pieces */
function read(array $pieces): array
{
    $reader = new HttpSocket\Reader();
    $messages = [];
    try {
        foreach ($pieces as $piece) {
            foreach ($reader->feed($piece) as $message) {
                $messages[] = told($message);
            }
        }
    } catch (HttpSocket\ProtocolError) {
        return ['broken'];
    }
    return $messages;
}

function say(stdClass $row): string
{
    $bytes = isset($row->bytes) ? new HttpSocket\Bytes(base64_decode($row->bytes)) : null;
    $data = isset($row->json) ? json_decode($row->json) : $bytes;
    $line = new ReflectionMethod(HttpSocket\Page::class, 'line');
    return base64_encode($line->invoke(null, $row->head, $data, false));
}

function refuses(HttpSocket\Page $page, string $name): bool
{
    try {
        $page->send($name, 1);
    } catch (ValueError) {
        return true;
    }
    return false;
}

$asked = json_decode(stream_get_contents(STDIN), false, 512, JSON_THROW_ON_ERROR);
$page = new HttpSocket\Page();
$lines = array_map(base64_decode(...), $asked->read);
echo json_encode([
    'read' => array_map(fn ($line) => read([$line]), $lines),
    'split' => array_map(fn ($line) => read(str_split($line)), $lines),
    'said' => array_map(say(...), $asked->say),
    'refused' => array_map(fn ($name) => refuses($page, $name), $asked->names),
], JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION, 1024);
