<?php
// SPDX-License-Identifier: MIT

/**
 * Page programs of httpsocketd in PHP: a script prints a page, stays, and goes on talking with it.
 *
 *     require getenv('HTTPSOCKET_SDK') . '/php/httpsocket.php';
 *     $page = new HttpSocket\Page();
 *     $page->show('<!doctype html>…');
 *     $total = 0;
 *     foreach ($page->events() as $event) {
 *         if ($event->name === 'add') $page->send('total', $total += $event->data);
 *     }
 *
 * No dependencies; PHP 8.2 or later, on the command line (`#!/usr/bin/env php`).
 * JSON objects come as objects; null is sent as no data, which means the same. A
 * PHP string is text; bytes are a Bytes.
 */

declare(strict_types=1);

namespace HttpSocket;

/** Bytes, where JSON has only text. */
final class Bytes implements \Stringable
{
    public function __construct(public readonly string $bytes)
    {
    }

    public function __toString(): string
    {
        return $this->bytes;
    }
}

/**
 * Thrown in a function for calls: its text is told to the caller. Of any other
 * exception the caller hears no details.
 */
final class Failure extends \Exception
{
    /** @param array<string, mixed> $more */
    public function __construct(string $message, public readonly array $more = [])
    {
        parent::__construct($message);
    }
}

/** The page answered a call with a failure; `data` is all it said. */
final class CallError extends \Exception
{
    public function __construct(public readonly mixed $data)
    {
        parent::__construct(is_string($data->message ?? null) ? $data->message : 'the call failed');
    }
}

final class CallTimeout extends \Exception
{
}

/** What came on descriptor 3 is no line of the server's. */
final class ProtocolError extends \Exception
{
}

/** Text that stands for itself in HTML. */
function escape(string|int|float|\Stringable|null $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
}

/** A value as JSON that may stand inside of a <script> element. */
function script_json(mixed $value): string
{
    return json_encode($value, JSON_HEX_TAG | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE
        | JSON_THROW_ON_ERROR);
}

/**
 * The request that the script was started for. Read when it is asked for:
 * who wants no body leaves stdin alone.
 */
final class Request
{
    private ?string $body = null;

    /** @param array<string, string> $environment */
    public function __construct(private readonly array $environment)
    {
    }

    private function of(string $name): string
    {
        return $this->environment[$name] ?? '';
    }

    public function method(): string
    {
        return $this->of('REQUEST_METHOD');
    }

    /** Path and query as they were sent. */
    public function uri(): string
    {
        return $this->of('REQUEST_URI');
    }

    /** The script's own path in the site. */
    public function script(): string
    {
        return $this->of('SCRIPT_NAME');
    }

    /** What follows the script in the path, decoded; begins with a slash if there is something. */
    public function pathInfo(): string
    {
        return $this->of('PATH_INFO');
    }

    public function address(): string
    {
        return $this->of('REMOTE_ADDR');
    }

    public function secure(): bool
    {
        return $this->of('HTTPS') === 'on';
    }

    /** A header's value; null: there is none. */
    public function header(string $name): ?string
    {
        $name = strtoupper(strtr($name, '-', '_'));
        $is_bare = in_array($name, ['CONTENT_TYPE', 'CONTENT_LENGTH'], true);
        return $this->environment[$is_bare ? $name : "HTTP_$name"] ?? null;
    }

    /** @return array<string, string> */
    public function cookies(): array
    {
        $cookies = [];
        foreach (explode(';', $this->header('Cookie') ?? '') as $pair) {
            [$name, $value] = explode('=', $pair, 2) + [1 => null];
            if ($value !== null) {
                $cookies[trim($name)] = trim($value, " \t\"");
            }
        }
        return $cookies;
    }

    /** As $_GET has it: `a[]=1` is an array. @return array<array-key, mixed> */
    public function query(): array
    {
        parse_str($this->of('QUERY_STRING'), $fields);
        return $fields;
    }

    public function body(): string
    {
        return $this->body ??= (string) stream_get_contents(STDIN);
    }

    /**
     * The fields of a form posted as application/x-www-form-urlencoded, as $_POST has them.
     * @return array<array-key, mixed>
     */
    public function form(): array
    {
        $type = strtolower(trim(explode(';', $this->of('CONTENT_TYPE'))[0]));
        parse_str($type === 'application/x-www-form-urlencoded' ? $this->body() : '', $fields);
        return $fields;
    }

    /** The body as JSON; JsonException if it is none. */
    public function json(): mixed
    {
        return json_decode($this->body(), false, 513, JSON_THROW_ON_ERROR);
    }
}

/** What came from the page or the server. @internal */
final class Message
{
    public function __construct(
        public readonly string $kind, // event, call, answer, part, failure, system
        public readonly string $name,
        public readonly string $call,
        public readonly mixed $data,
        public readonly bool $bare, // there was no data; it counts as null
        public readonly string $problem, // why its JSON can't be had in PHP
        public readonly int $size,
        public readonly string $session, // which page of a shared program
        public int $number = 0, // among the events, calls and answers; 0: it is the server's
    ) {
    }
}

/** Bytes in, messages out; keeps what is not whole yet. @internal */
final class Reader
{
    private const NAME = '[\w\-:\/][\w\-:\/.]{0,127}';
    private const NUMBER = '(0|[1-9]\d{0,15})';
    private const HEAD = '/\A(?:@([\w-]{1,64}) )?(?:([=+!])' . self::NUMBER
        . '|(\.' . self::NAME . ')|(' . self::NAME . ')(?:\?' . self::NUMBER . ')?)(?: |\z)/';
    private const LENGTH = '/\A@' . self::NUMBER . '\z/';
    private const CALL_MAX = 9007199254740991;
    private const ANSWERS = ['=' => 'answer', '+' => 'part', '!' => 'failure'];

    private string $buffer = '';
    private int $searched = 0;
    /** @var list<string>|null the head of a message whose bytes are awaited */
    private ?array $head = null;
    private int $wanted = 0;

    /** @return iterable<Message> */
    public function feed(string $data): iterable
    {
        $this->buffer .= $data;
        $at = 0;
        while (($message = $this->next($at)) !== null) {
            yield $message;
        }
        $this->buffer = $at > 0 ? substr($this->buffer, $at) : $this->buffer;
    }

    private function next(int &$at): ?Message
    {
        if ($this->head !== null) {
            return $this->bytes($at);
        }
        $end = strpos($this->buffer, "\n", $at + $this->searched);
        if ($end === false) {
            $this->searched = strlen($this->buffer) - $at;
            return null;
        }
        $this->searched = 0;
        $line = substr($this->buffer, $at, $end - $at);
        $at = $end + 1;
        if (
            !preg_match(self::HEAD, $line, $head, PREG_UNMATCHED_AS_NULL)
            || (int) ($head[3] ?? $head[6] ?? 0) > self::CALL_MAX
        ) {
            throw new ProtocolError('not a line of the server\'s: ' . substr($line, 0, 80));
        }
        $body = substr($line, strlen((string) $head[0]));
        if (!str_starts_with($body, '@')) {
            return self::made($head, $body, strlen($line) + 1);
        }
        if (!preg_match(self::LENGTH, $body, $length)) {
            throw new ProtocolError('not a length of bytes: ' . substr($line, 0, 80));
        }
        [$this->head, $this->wanted] = [$head, (int) $length[1]];
        return $this->bytes($at);
    }

    private function bytes(int &$at): ?Message
    {
        if (strlen($this->buffer) - $at <= $this->wanted) {
            return null;
        }
        if ($this->buffer[$at + $this->wanted] !== "\n") {
            throw new ProtocolError('bytes that do not end where their length says: '
                . $this->head[0]);
        }
        $data = new Bytes(substr($this->buffer, $at, $this->wanted));
        $at += $this->wanted + 1;
        [$head, $this->head] = [$this->head, null];
        return self::made($head, $data, $this->wanted + strlen((string) $head[0]));
    }

    /** @param array<int, string|null> $head */
    private static function made(array $head, string|Bytes $body, int $size): Message
    {
        [, $session, $sign, $answered, $word, $name, $call] = $head
            + [4 => null, 5 => null, 6 => null];
        $kind = $sign !== null ? self::ANSWERS[$sign]
            : ($word !== null ? 'system' : ($call !== null ? 'call' : 'event'));
        [$data, $problem] = [$body, ''];
        if (is_string($body)) {
            $data = $body === '' ? null : json_decode($body, false, 513);
            $problem = $data === null && trim($body) !== 'null' && $body !== ''
                ? json_last_error_msg() : '';
        }
        return new Message($kind, $word ?? (string) $name, $answered ?? $call ?? '', $data,
            $body === '', $problem, $size, (string) $session);
    }
}

/** What the page sent, where the script reads it itself. A call wants answer(), or fail(). */
final class Event
{
    public readonly string $name;
    public readonly mixed $data;
    /** It wants an answer. */
    public readonly bool $call;

    /**
     * @param \Closure(string, mixed, bool=): void $post
     * @param bool $resent a process before this one may have seen it
     * @internal
     */
    public function __construct(private readonly \Closure $post, private readonly Message $message,
        public readonly bool $resent = false)
    {
        [$this->name, $this->data] = [$message->name, $message->data];
        $this->call = $message->kind === 'call';
    }

    public function answer(mixed $data = null): void
    {
        ($this->post)("={$this->message->call}", $data);
    }

    /** One of several answers; answer() ends them. */
    public function part(mixed $data): void
    {
        ($this->post)("+{$this->message->call}", $data, true);
    }

    /** @param array<string, mixed> $more */
    public function fail(string $message, array $more = []): void
    {
        ($this->post)("!{$this->message->call}", ['message' => $message] + $more);
    }
}

/** The page, or the server, has given a byte stream up; `reason` is a token. */
final class StreamReset extends \Exception
{
    public readonly string $reason;

    public function __construct(\stdClass $data)
    {
        $this->reason = $data->reason ?? '';
        parent::__construct($data->message ?? $this->reason);
    }
}

/** A byte stream of the page, such as a file. Reading or writing accepts it. */
final class Stream
{
    public readonly string $name;
    public readonly mixed $data;
    private readonly int $id;
    private bool $accepted = false;
    private bool $ended = false;
    private bool $over = false;

    /**
     * @param \Closure(string, mixed): void $post
     * @param \Closure(int): Message $next
     * @internal
     */
    public function __construct(private readonly \Closure $post, private readonly \Closure $next,
        \stdClass $opened)
    {
        [$this->id, $this->name, $this->data] = [$opened->id, $opened->name, $opened->data ?? null];
    }

    /** Lets it begin; `$data` may say more to the page. */
    public function accept(mixed $data = null): void
    {
        $this->accepted = true;
        ($this->post)('.accept', ['id' => $this->id, 'data' => $data]);
    }

    /**
     * What the page says, until its end; StreamReset. What else comes
     * meanwhile is heard afterwards.
     * @return \Generator<int, string>
     */
    public function pieces(): \Generator
    {
        if (!$this->accepted) {
            $this->accept();
        }
        while (($message = ($this->next)($this->id))->name !== '.end') {
            if ($message->name === '.reset') {
                $this->over = true;
                throw new StreamReset($message->data);
            }
            yield $message->data->bytes;
        }
    }

    /** The next bytes for the page. */
    public function write(string $bytes): void
    {
        if (!$this->accepted) {
            $this->accept();
        }
        ($this->post)(".stream/$this->id", new Bytes($bytes));
    }

    /** Nothing more is written. */
    public function end(): void
    {
        $this->ended = true;
        ($this->post)('.end', ['id' => $this->id]);
    }

    /** It is over at once, both ways; before accept(): it is refused. */
    public function reset(string $reason = 'refused', string $message = ''): void
    {
        $this->over = true;
        ($this->post)('.reset', ['id' => $this->id, 'reason' => $reason]
            + ($message === '' ? [] : ['message' => $message]));
    }

    /** Its function has returned. @internal */
    public function finish(): void
    {
        if (!$this->over && !$this->accepted) {
            $this->reset();
        } elseif (!$this->over && !$this->ended) {
            $this->end();
        }
    }
}

/**
 * A page's state that outlives its program (docs/page-programs/state.md): when it is saved, and
 * which messages it covers. @internal
 */
final class State
{
    private const REFUSALS_MAX = 16; // the log is told of so many
    private const JSON = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE
        | JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR;

    public mixed $value = [];
    public bool $used = false;
    /** Nothing is saved any more. */
    public bool $closed = false;
    private ?\stdClass $restored = null;
    private bool $begun = false;
    private string $saved = ''; // nothing is, yet
    private int $told = 0;
    private int $done = 0;
    private int $confirmed = 0;
    /** @var array<int, true> done before one that was told before them */
    private array $early = [];
    private string $complaint = '';
    private int $refusals = 0;

    /** @param bool $restoring what the page has is still to come: nothing is saved before */
    public function __construct(private bool $restoring)
    {
    }

    public function replace(mixed $value): void
    {
        $this->value = self::loaded(self::form($value), $value);
    }

    public function number(Message $message): void
    {
        if ($message->kind === 'system') {
            return;
        }
        $message->number = ++$this->told;
        if (!in_array($message->kind, ['event', 'call'], true)) {
            $this->done($message->number);
        }
    }

    public function isResent(int $number): bool
    {
        return $number > 0 && $number <= ($this->restored->resent ?? 0);
    }

    public function done(int $number): void
    {
        $this->early[$number] = true;
        while (isset($this->early[$this->done + 1])) {
            unset($this->early[++$this->done]);
        }
    }

    /** Takes a line of the server's. Gives what the program is told when the state is whole. */
    public function restore(Message $message): ?\stdClass
    {
        if ($message->name === '.restore') {
            $this->restored = (object) ['why' => $message->data->why,
                'resent' => $message->data->resent];
            if ($message->data->bytes ?? false) {
                return null; // .state is next
            }
            $this->saved = self::form($message->data->state);
            $this->value = self::loaded($this->saved, $message->data->state);
        } else {
            $this->saved = self::form($message->data);
            $this->value = $message->data;
        }
        [$this->restoring, $this->used] = [false, true];
        return $this->restored;
    }

    /** Says what to do with a state that the server has refused. */
    public function noteProblem(mixed $told): void
    {
        if ($told instanceof \stdClass && ($told->command ?? '') === 'save'
            && $this->refusals++ < self::REFUSALS_MAX) {
            fwrite(STDERR, "httpsocket: page->state: $told->message\n");
        }
    }

    /** What is to be written now, all in one write; empty: nothing. */
    public function lines(): string
    {
        if (!$this->used || $this->restoring || $this->closed) {
            return '';
        }
        try {
            $new = self::form($this->value);
        } catch (\JsonException $error) {
            $this->complain($error->getMessage());
            return ''; // nor is confirmed what only this state has
        }
        $this->complaint = '';
        $lines = $this->begun ? '' : ".confirm 0\n";
        if ($new !== $this->saved) {
            $lines .= $new;
            // What a function reads is what it would read in a process that goes on.
            $this->value = self::loaded($new, $this->value);
        }
        if ($this->done !== $this->confirmed) {
            $lines .= ".confirm $this->done\n";
        }
        [$this->begun, $this->saved, $this->confirmed] = [true, $new, $this->done];
        return $lines;
    }

    private function complain(string $why): void
    {
        if ($why !== $this->complaint) {
            fwrite(STDERR, "httpsocket: $why; the state before it stays\n");
        }
        $this->complaint = $why;
    }

    private static function form(mixed $value): string
    {
        if ($value instanceof Bytes) {
            return '.save @' . strlen($value->bytes) . "\n$value->bytes\n";
        }
        try {
            self::check($value);
            return '.save ' . json_encode($value, self::JSON, 513) . "\n";
        } catch (\JsonException $error) {
            throw new \JsonException("page->state is not JSON: {$error->getMessage()}");
        }
    }

    private static function loaded(string $form, mixed $value): mixed
    {
        return $value instanceof Bytes ? $value : json_decode(substr($form, 6), true, 513);
    }

    /** What JSON would change without a word, such as a closure to {}, is refused. */
    private static function check(mixed $value): void
    {
        if (is_object($value) && !$value instanceof \stdClass
            && !$value instanceof \JsonSerializable) {
            throw new \JsonException('a ' . $value::class);
        }
        if (is_array($value) || $value instanceof \stdClass) {
            foreach ($value as $member) {
                self::check($member);
            }
        }
    }
}

/**
 * The page that this script has made. Writing to a page that is gone for good ends the script, as
 * PHP does when a visitor leaves.
 *
 * @property mixed $state what outlives this program: JSON, at first `[]`; objects of it are arrays.
 *     It is saved when it has changed, after each function, and is there again before the functions
 *     of the next process run.
 * @property-read bool $resent what is being heard may have been seen by a process before this one
 */
final class Page
{
    private const HTML = 'text/html; charset=utf-8';
    private const CALL_SECONDS = 30.0;
    /** Bytes that are read ahead while something else is waited for. */
    private const QUEUE_MAX = 16 * 1024 * 1024;
    private const UNHEARD_MAX = 16; // a page can send any name: the log is told of so many
    private const JSON = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE
        | JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR;

    public readonly Request $request;
    /** A script of a page, or a device, connects straight to this one: no page is wanted. */
    public readonly bool $direct;
    /** The session's id; empty where there is none. */
    public readonly string $session;

    /**
     * The script was started to go on for one that is gone: the page is there already, and what
     * show() says is not wanted.
     */
    public readonly bool $isRestored;

    private readonly int $fd;
    private readonly State $saving;
    private int $heard = 0; // the number of the message that is being heard
    /** @var resource|null */
    private $socket = null;
    private bool $begun = false;
    private bool $complete = false;
    private bool $atEnd = false;
    private bool $finished = false;
    private readonly Reader $reader;
    /** @var \SplQueue<Message> */
    private \SplQueue $queue;
    private int $queued = 0;
    private int $calls = 0;
    /** @var array<string, list<Message>> answers of calls that wait, by number */
    private array $waiting = [];
    /** @var array<string, array<string, callable>> functions by kind and name */
    private array $functions = ['event' => [], 'call' => [], 'system' => [], 'stream' => []];
    /** @var array<int, list<Message>> what open streams have got */
    private array $streams = [];
    /** @var list<array{float, float, callable}> interval, when it is due, function */
    private array $timers = [];
    /** @var array<string, array<string, callable>> by the server's line, by topic */
    private array $topics = [];
    /** @var array<string, true> */
    private array $unheard = [];

    public function __construct(?int $fd = null)
    {
        $environment = getenv();
        $this->fd = $fd ?? (int) ($environment['HTTPSOCKET_FD'] ?? -1);
        $this->request = new Request($environment);
        $this->direct = ($environment['HTTPSOCKET_CONNECT'] ?? '') === '1';
        $this->session = $environment['HTTPSOCKET_SESSION'] ?? '';
        $this->isRestored = ($environment['HTTPSOCKET_RESTORE'] ?? '') === '1';
        $this->saving = new State($this->isRestored);
        $this->reader = new Reader();
        $this->queue = new \SplQueue();
    }

    // ---- the state ----

    public function &__get(string $name): mixed
    {
        if ($name === 'state') {
            $this->useState();
            return $this->saving->value;
        }
        if ($name !== 'resent') {
            throw new \LogicException("a page has no $name");
        }
        $resent = $this->saving->isResent($this->heard);
        return $resent;
    }

    public function __set(string $name, mixed $value): void
    {
        if ($name !== 'state') {
            throw new \LogicException("a page has no $name that can be set");
        }
        $this->saving->replace($value);
        $this->useState();
    }

    public function __isset(string $name): bool
    {
        return $name === 'resent' || ($name === 'state' && $this->saving->value !== null);
    }

    /** Saves the state now, if it has changed: in the midst of a long function. */
    public function save(): void
    {
        $this->write($this->saving->lines());
    }

    private function useState(): void
    {
        if (!$this->saving->used) {
            register_shutdown_function($this->saveLast(...));
        }
        $this->saving->used = true;
    }

    /** Unless the script failed: then the message that it failed of comes again. */
    private function saveLast(): void
    {
        $fatal = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR
            | E_RECOVERABLE_ERROR;
        if ($this->fd >= 0 && !((error_get_last()['type'] ?? 0) & $fatal)) {
            $this->endTurn();
        }
    }

    /** What was heard is done, and the state is as it leaves it. */
    private function endTurn(): void
    {
        if ($this->heard > 0) {
            $this->saving->done($this->heard);
            $this->heard = 0;
        }
        if ($this->saving->used && !$this->atEnd) {
            $this->save();
        }
    }

    // ---- the answer ----

    /**
     * Answers the request with this page, whole. For a direct connection it
     * accepts, and the body is not wanted.
     *
     * @param array<string, string> $headers
     */
    public function show(string|\Stringable $body = '', string $type = self::HTML,
        int $status = 200, array $headers = []): void
    {
        $this->begin($type, $status, $headers);
        echo $body;
        $this->end();
    }

    /**
     * Begins a page that the script prints itself (echo, or HTML outside of
     * `<?php`); end() completes it.
     *
     * @param array<string, string> $headers
     */
    public function begin(string $type = self::HTML, int $status = 200, array $headers = []): void
    {
        if ($this->begun) {
            throw new \LogicException('the answer has begun already');
        }
        $this->begun = true;
        if (!$this->direct || $status !== 200 || $headers) {
            $headers = ($status !== 200 ? ['Status' => (string) $status] : [])
                + ($type !== '' ? ['Content-Type' => $type] : []) + $headers;
            foreach ($headers as $name => $value) {
                echo self::clean($name), ': ', self::clean($value), "\n";
            }
        }
        echo "\n";
    }

    /** The page is complete. What is printed from now on goes to the server's log. */
    public function end(): void
    {
        if ($this->complete) {
            return;
        }
        if (!$this->begun) {
            $this->begin();
        }
        $this->complete = true;
        while (ob_get_level() > 0) {
            ob_end_flush();
        }
        flush();
        fclose(STDOUT);
        static $instead; // so that no file takes its number
        $instead = fopen('php://stderr', 'w');
        ob_start(static function (string $printed) use ($instead): string {
            fwrite($instead, $printed);
            return '';
        }, 1);
    }

    /**
     * Answers with this status instead of a page, and ends the script.
     *
     * 401 keeps the client's scripts away from here for a minute, or for `$retry` seconds; `$path`
     * says from where down. With `$realm` a browser asks its user for a name and a password, which
     * are the header `Authorization` next time.
     */
    public function refuse(int $status = 401, string $message = '', ?string $realm = null,
        ?int $retry = null, ?string $path = null): never
    {
        $quoted = addcslashes($realm ?? '', '"\\');
        $challenge = ['WWW-Authenticate' => "Basic realm=\"$quoted\", charset=\"UTF-8\""];
        $headers = $realm === null ? [] : $challenge;
        if ($retry !== null) {
            $headers[$status === 401 ? 'Access-Control-Max-Age' : 'Retry-After'] = (string) $retry;
        }
        if ($path !== null) {
            $headers['Access-Control-Policy-Path'] = $path;
        }
        $this->begin('text/plain; charset=utf-8', $status, $headers);
        echo $message !== '' ? $message : "status $status", "\n";
        exit(0);
    }

    // ---- what the script wants to hear ----

    /** Hears the event: it gets its data. */
    public function on(string $name, callable $function): static
    {
        return $this->keep('event', self::checked($name), $function);
    }

    /** Answers the call: it gets its data and returns the answer; a generator yields several. */
    public function handle(string $name, callable $function): static
    {
        return $this->keep('call', self::checked($name), $function);
    }

    /**
     * Takes byte streams of this name, such as files: it gets a Stream. When it returns the stream
     * ends, when it throws it is reset.
     */
    public function onStream(string $name, callable $function): static
    {
        return $this->keep('stream', $name, $function);
    }

    /** Hears that the page is connected: an object with resumed, origin, address. */
    public function attached(callable $function): static
    {
        return $this->keep('system', '.attach', $function);
    }

    /** Hears that the connection is gone and may come back: an object with reason. */
    public function detached(callable $function): static
    {
        return $this->keep('system', '.detach', $function);
    }

    /**
     * Hears, before everything else, that this process goes on for one that is gone: `$page->state`
     * is what that one had. An object with why (deploy, crash, gone, changed) and resent: how many
     * of the next messages it may have seen.
     */
    public function onRestored(callable $function): static
    {
        return $this->keep('system', '.restore', $function);
    }

    /** Is called last: the session is over, and some seconds are left. */
    public function ended(callable $function): static
    {
        register_shutdown_function(fn () => $this->finish());
        return $this->keep('system', '', $function);
    }

    /**
     * Is called at this interval, in seconds, by run() and events(), as long as the session lasts.
     */
    public function every(float $seconds, callable $function): static
    {
        if (!($seconds > 0)) {
            throw new \ValueError('an interval is longer than nothing');
        }
        $this->timers[] = [$seconds, microtime(true) + $seconds, $function];
        return $this;
    }

    private function keep(string $kind, string $name, callable $function): static
    {
        if (isset($this->functions[$kind][$name])) {
            throw new \LogicException('there is a function for ' . ($name ?: 'the end')
                . ' already');
        }
        $this->functions[$kind][$name] = $function;
        return $this;
    }

    // ---- what it says ----

    /**
     * An event for the page: JSON, or Bytes. What JSON has no way to say throws
     * a JsonException, and nothing is sent.
     */
    public function send(string $name, mixed $data = null): void
    {
        $this->post(self::checked($name), $data);
    }

    /** The session is over; the page is told why. */
    public function close(string $reason = ''): void
    {
        $this->post('.close', $reason === '' ? null : ['reason' => $reason]);
    }

    // ---- the page's document ----

    /**
     * Hears these events of the page's document, from elements that match `$select`; the options
     * are those of `.listen`, times are milliseconds. They come to `$function`, or, without one, as
     * events of the name `as`. Gives that name, for unlisten().
     *
     * @param string|list<string> $on
     * @param array<string, mixed> $options
     */
    public function listen(string|array $on, ?string $select = null, array $options = [],
        ?callable $function = null): string
    {
        $word = is_string($on) && ctype_alnum($on) ? $on : 'heard';
        $name = self::checked($options['as'] ?? $word . ':' . ++$this->calls);
        if ($function) {
            $this->on($name, $function);
        }
        $this->post('.listen', ['on' => $on, 'as' => $name]
            + ($select === null ? [] : ['select' => $select]) + $options);
        return $name;
    }

    /** No more of what listen() began under this name. */
    public function unlisten(string $as): void
    {
        $this->post('.unlisten', ['as' => $as]);
    }

    /** Changes the page's document, all in one frame. @param array<string, mixed> ...$operations */
    public function dom(array ...$operations): void
    {
        $this->post('.dom', count($operations) === 1 ? $operations[0] : $operations);
    }

    /**
     * Hears that the page could not do what listen() or dom() said: an
     * object with command and message.
     */
    public function problem(callable $function): static
    {
        return $this->keep('system', '.problem', $function);
    }

    // ---- topics ----

    /**
     * Hears what programs of this server publish in the topic: an object with event, data, from,
     * seq, time, … The options are those of `.subscribe`; `$presence` hears who is there.
     *
     * @param array<string, mixed> $options
     */
    public function subscribe(string $topic, array $options = [], ?callable $function = null,
        ?callable $presence = null): void
    {
        foreach (['.topic' => $function, '.presence' => $presence] as $line => $heard) {
            if ($heard) {
                $this->topics[$line][$topic] = $heard;
                $this->functions['system'][$line] ??= function ($message) use ($line) {
                    $heard = $this->topics[$line][$message->topic] ?? static fn () => null;
                    return $heard($message);
                };
            }
        }
        $this->post('.subscribe', ['topic' => $topic] + $options);
    }

    public function unsubscribe(string $topic): void
    {
        unset($this->topics['.topic'][$topic], $this->topics['.presence'][$topic]);
        $this->post('.unsubscribe', ['topic' => $topic]);
    }

    /** An event for all that are subscribed to the topic. `$keep`: it is the topic's last value. */
    public function publish(string $topic, string $event, mixed $data = null,
        ?bool $keep = null): void
    {
        $this->post('.publish', ['topic' => $topic, 'event' => self::checked($event),
            'data' => $data] + ($keep === null ? [] : ['keep' => $keep]));
    }

    // ---- TCPConnections of the page ----

    /** The page's TCPConnections are refused, all of them. */
    public function refuseTcp(?int $retry = null): void
    {
        $this->post('.tcp', ['allow' => false] + ($retry === null ? [] : ['retryAfter' => $retry]));
    }

    /**
     * Is asked for each TCPConnection of the page that DNS allows: it gets an object with host,
     * port and secure, and gives whether it may be. A number refuses for so many seconds.
     *
     * @param callable(\stdClass): (bool|int) $function
     */
    public function consentTcp(callable $function): static
    {
        $this->keep('system', '.tcp', function (\stdClass $target) use ($function): void {
            $verdict = $function($target);
            $this->post('.tcp', ['id' => $target->id, 'allow' => $verdict === true]
                + (is_int($verdict) ? ['retryAfter' => $verdict] : []));
        });
        $this->post('.tcp', ['ask' => true]);
        return $this;
    }

    // ---- calls ----

    /**
     * The page's answer. CallError: it failed; CallTimeout. What else comes
     * meanwhile is heard afterwards.
     */
    public function call(string $name, mixed $data = null,
        ?float $timeout = self::CALL_SECONDS): mixed
    {
        foreach ($this->ask($name, $data, $timeout) as $message) {
            if ($message->kind === 'part') {
                throw new \LogicException("$name gives several answers: use stream()");
            }
            return $message->data;
        }
    }

    /**
     * The page's several answers; `$timeout` counts from one to the next.
     * Leaving the loop gives the call up.
     * @return \Generator<int, mixed>
     */
    public function stream(string $name, mixed $data = null,
        ?float $timeout = self::CALL_SECONDS): \Generator
    {
        foreach ($this->ask($name, $data, $timeout) as $message) {
            if ($message->kind === 'part' || !$message->bare) {
                yield $message->data;
            }
        }
    }

    /** @return \Generator<int, Message> */
    private function ask(string $name, mixed $data, ?float $timeout): \Generator
    {
        $number = (string) ++$this->calls;
        $this->waiting[$number] = [];
        try {
            $this->post(self::checked($name) . "?$number", $data);
            do {
                $message = $this->awaitOne($this->waiting[$number], $name, $timeout);
                if ($message->kind === 'failure') {
                    throw new CallError($message->data);
                }
                yield $message;
            } while ($message->kind === 'part');
        } finally {
            unset($this->waiting[$number]);
        }
    }

    /** @param list<Message> $awaited */
    private function awaitOne(array &$awaited, string $name, ?float $timeout): Message
    {
        $deadline = $timeout === null ? null : microtime(true) + $timeout;
        while (!$awaited) {
            if ($this->atEnd) {
                exit(0);
            }
            if ($this->queued > self::QUEUE_MAX) {
                throw new CallTimeout("$name: " . self::QUEUE_MAX
                    . ' bytes of other things came before it');
            }
            if (!$this->wait(true, false, $deadline)) {
                throw new CallTimeout("$name: nothing in $timeout s");
            }
            $this->read();
        }
        return array_shift($awaited);
    }

    // ---- what comes ----

    /**
     * Calls the functions until the session is over. One that throws is
     * reported, and the others go on.
     */
    public function run(): void
    {
        foreach ($this->messages() as $message) {
            $this->dispatch($message);
        }
    }

    /**
     * Events and calls for which there is no function, until the session is over.
     * @return \Generator<int, Event>
     */
    public function events(): \Generator
    {
        foreach ($this->messages() as $message) {
            if ($message->kind === 'system' || $message->problem !== ''
                || isset($this->functions[$message->kind][$message->name])) {
                $this->dispatch($message);
            } else {
                yield new Event($this->post(...), $message,
                    $this->saving->isResent($message->number));
            }
        }
    }

    /** @return \Generator<int, Message> */
    private function messages(): \Generator
    {
        while (true) {
            $this->endTurn();
            $due = $this->timers ? min(array_column($this->timers, 1)) : null;
            if ($this->queue->isEmpty() && !$this->atEnd && $this->wait(true, false, $due)) {
                $this->read();
            }
            if (!$this->queue->isEmpty()) {
                $message = $this->queue->dequeue();
                $this->queued -= $message->size;
                $this->heard = $message->number;
                yield $message;
                $this->endTurn();
            } elseif ($this->atEnd) {
                break;
            }
            $this->tick();
        }
        $this->finish();
    }

    private function tick(): void
    {
        $now = microtime(true);
        foreach ($this->timers as $i => [$seconds, $due, $function]) {
            if ($due <= $now) {
                $this->timers[$i][1] = max($due + $seconds, $now);
                $this->guarded($function);
            }
        }
    }

    private function dispatch(Message $message): void
    {
        if ($message->name === '.problem') {
            $this->saving->noteProblem($message->data);
        }
        if ($message->problem !== '') {
            $this->refuseUnreadable($message);
        } elseif ($message->name === '.restore' || $message->name === '.state') {
            $this->goOn($message);
        } elseif ($message->kind === 'call') {
            $this->guarded(fn () => $this->serve($message));
        } elseif ($message->name === '.stream') {
            $this->guarded(fn () => $this->takeStream($message->data));
        } elseif ($function = $this->functions[$message->kind][$message->name] ?? null) {
            $this->guarded(fn () => $function($message->data));
        } elseif ($message->kind === 'event') {
            $this->complainUnheard('event', $message->name);
        }
    }

    private function goOn(Message $message): void
    {
        $this->useState();
        $told = $this->saving->restore($message);
        $function = $this->functions['system']['.restore'] ?? null;
        if ($told && $function) {
            $this->guarded(fn () => $function($told));
        }
    }

    private function takeStream(\stdClass $opened): void
    {
        $stream = new Stream($this->post(...),
            fn (int $id) => $this->awaitOne($this->streams[$id], "stream $opened->name", null),
            $opened);
        $function = $this->functions['stream'][$stream->name] ?? null;
        if (!$function) {
            $this->complainUnheard('stream', $stream->name);
            $stream->reset('refused', "nothing takes a stream $stream->name");
            return;
        }
        $this->streams[$opened->id] = [];
        try {
            $function($stream);
            $stream->finish();
        } catch (StreamReset) {
        } catch (\Throwable $error) {
            $stream->reset('program-failed');
            throw $error;
        } finally {
            unset($this->streams[$opened->id]);
        }
    }

    private function refuseUnreadable(Message $message): void
    {
        if ($message->kind === 'call') {
            $this->post("!$message->call", ['message' => "the program can't read this data"]);
        }
        fwrite(STDERR, "httpsocket: $message->name: $message->problem\n");
    }

    private function serve(Message $message): void
    {
        try {
            $function = $this->functions['call'][$message->name] ?? null;
            if (!$function) {
                $this->complainUnheard('call', $message->name);
                throw new Failure("no function for $message->name");
            }
            $answer = $function($message->data);
            $last = $answer instanceof \Generator
                ? $this->sendParts($message->call, $answer) : $answer;
            $this->post("=$message->call", $last);
        } catch (Failure $failure) {
            $this->post("!$message->call", ['message' => $failure->getMessage()] + $failure->more);
        } catch (\Throwable $error) {
            $this->post("!$message->call", ['message' => 'the program failed']);
            throw $error;
        }
    }

    /** @param \Generator<mixed, mixed> $parts */
    private function sendParts(string $call, \Generator $parts): mixed
    {
        foreach ($parts as $part) {
            $this->post("+$call", $part, true);
        }
        return $parts->getReturn();
    }

    private function guarded(callable $function): void
    {
        try {
            $function();
        } catch (\Throwable $error) {
            fwrite(STDERR, "$error\n");
        }
    }

    private function complainUnheard(string $kind, string $name): void
    {
        if (!isset($this->unheard[$name]) && count($this->unheard) < self::UNHEARD_MAX) {
            $this->unheard[$name] = true;
            fwrite(STDERR, 'httpsocket: nothing hears the ' . $kind . ' ' . substr($name, 0, 128)
                . " (said once)\n");
        }
    }

    private function finish(): void
    {
        $function = $this->finished ? null : $this->functions['system'][''] ?? null;
        $this->finished = true;
        if ($function) {
            $this->guarded($function);
        }
    }

    // ---- descriptor 3 ----

    /** @return resource */
    private function connection()
    {
        if ($this->socket === null) {
            $socket = $this->fd < 0 ? false : fopen("php://fd/$this->fd", 'r+');
            if ($socket === false) {
                fwrite(STDERR, "httpsocket: there is no page to talk with: this program is to be started by httpsocketd\n");
                exit(1);
            }
            stream_set_blocking($socket, false);
            stream_set_read_buffer($socket, 0);
            $this->socket = $socket;
            $this->endOnSigterm();
        }
        return $this->socket;
    }

    /**
     * SIGTERM follows the end of a session that the script has not seen: it
     * ends as by exit(), with its destructors.
     */
    private function endOnSigterm(): void
    {
        if (function_exists('pcntl_async_signals')
            && pcntl_signal_get_handler(SIGTERM) === SIG_DFL) {
            pcntl_async_signals(true);
            pcntl_signal(SIGTERM, function (): never {
                $this->saving->closed = true; // a function may be changing it
                exit(0);
            });
        }
    }

    /** Whether it can be read (or written); false when the time is over. */
    private function wait(bool $read, bool $write, ?float $deadline): bool
    {
        $reading = $read ? [$this->connection()] : [];
        $writing = $write ? [$this->connection()] : [];
        $exceptional = null;
        $left = $deadline === null ? null : max(0.0, $deadline - microtime(true));
        $seconds = $left === null ? null : (int) $left;
        $microseconds = $left === null ? null : (int) (($left - $seconds) * 1e6) + 1;
        $found = @stream_select($reading, $writing, $exceptional, $seconds, $microseconds);
        return $found === false || $found > 0; // false: a signal, and whoever waits looks again
    }

    private function read(): void
    {
        $data = @fread($this->connection(), 65536);
        if ($data === '' || $data === false) {
            $this->atEnd = feof($this->connection());
            return;
        }
        foreach ($this->reader->feed($data) as $message) {
            $this->sort($message);
        }
    }

    private function sort(Message $message): void
    {
        $this->saving->number($message);
        if (in_array($message->kind, ['answer', 'part', 'failure'], true)) {
            if (isset($this->waiting[$message->call])) {
                $this->waiting[$message->call][] = $message; // one that was given up is passed over
            }
            return;
        }
        $stream = $message->kind === 'system' ? self::streamOf($message) : null;
        if ($stream !== null) {
            if (isset($this->streams[$stream])) {
                $this->streams[$stream][] = $message;
            }
            return;
        }
        $this->queue->enqueue($message);
        $this->queued += $message->size;
    }

    /** The stream that a line is about, beyond its opening. */
    private static function streamOf(Message $message): ?int
    {
        if (str_starts_with($message->name, '.stream/')) {
            return (int) substr($message->name, 8);
        }
        return in_array($message->name, ['.end', '.reset'], true) ? $message->data->id : null;
    }

    /**
     * Where the page is slow writing waits. Reading goes on meanwhile, up to a
     * limit: each side may wait for the other.
     */
    private function post(string $head, mixed $data, bool $null = false): void
    {
        $this->write(self::line($head, $data, $null));
    }

    private function write(string $rest): void
    {
        while ($rest !== '') {
            $written = @fwrite($this->connection(), $rest);
            if ($written === false || $this->atEnd) {
                exit(0);
            }
            $rest = substr($rest, $written);
            if ($rest !== '') {
                $this->waitWritable();
            }
        }
    }

    private function waitWritable(): void
    {
        $ahead = $this->queued <= self::QUEUE_MAX;
        $this->wait($ahead, true, null);
        if ($ahead) {
            $this->read();
        }
    }

    private static function line(string $head, mixed $data, bool $null): string
    {
        if ($data instanceof Bytes) {
            return "$head @" . strlen($data->bytes) . "\n$data->bytes\n";
        }
        return $data === null && !$null
            ? "$head\n" : "$head " . json_encode($data, self::JSON, 513) . "\n";
    }

    private static function checked(string $name): string
    {
        if (!preg_match('/\A[\w\-:\/][\w\-:\/.]{0,127}\z/', $name)) {
            throw new \ValueError("not a name: $name (1 to 128 of A-Z a-z 0-9 _ - : / . not beginning with a dot)");
        }
        return $name;
    }

    private static function clean(string $text): string
    {
        if (strpbrk($text, "\r\n\0") !== false) {
            throw new \ValueError("a line break in a header: $text");
        }
        return $text;
    }
}
