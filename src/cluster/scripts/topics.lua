-- SPDX-License-Identifier: MIT
-- topics.lua - what an outpost (one worker of one server) asks of the broker. Each call is one
-- transaction. ARGV: the operation, the cluster's name, then what the operation takes.
--
-- NAME:t:TOPIC   hash: epoch (drawn when the topic begins), seq (the newest event's number), kept
--                (the kept event), changes (how often presence has changed), total (bytes of all
--                events ever)
-- NAME:s:TOPIC   stream of the past events: ids SEQ-0, `event` and `total` up to it
-- NAME:p:TOPIC   hash of who is there: a client's id to `OUTPOST DATA`
-- NAME:c:TOPIC   channel: events `E EPOCH SEQ IDENT TIME FROM KEEP NAME LF DATA`, presence
--                `P CHANGES OUTPOST ID DATA` (without DATA: left), `G CHANGES OUTPOST` (all of it)
-- NAME:outposts  sorted set: outposts by the time of their last sign of life
-- NAME:r:OUTPOST the number of its last publication: one that is said again is known by it
-- NAME:m:OUTPOST set: topics in which clients of it are there
-- NAME:lost:OUTPOST  it was taken for dead: it is to say again who is there
-- NAME:fence     until when (ms) nothing is published, since the broker may have lost events
-- NAME:fenced    the instance of the broker that the fence was made for; without it the broker has
--                been emptied
-- NAME:memory    drawn with each fence: who knows another one has to say again what is known
-- NAME:blind     with a fence: the outposts are forgotten, too, so nobody knows whom to wait for
-- NAME:synced    set: outposts that have mended what this instance has lost
-- NAME:seen      when any outpost was here last
-- NAME:grace     until when nobody is taken for dead, since the broker itself was away

local call = redis.call
local op, name = ARGV[1], ARGV[2]

local function text(number)
  return string.format('%.0f', number)
end

local function now()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function channel(topic)
  return name .. ':c:' .. topic
end

-- Keeps the past within `count_max` events, and every 16th time within `bytes_max` bytes.
local function append(stream, seq, event, total, count_max, bytes_max)
  call('XADD', stream, 'MAXLEN', '=', count_max, text(seq) .. '-0', 'event', event,
       'total', text(total))
  if seq % 16 ~= 0 and #event * 64 < bytes_max then
    return
  end
  while true do
    local oldest = call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    if not oldest or total - tonumber(oldest[2][4]) + #oldest[2][2] <= bytes_max then
      return
    end
    call('XDEL', stream, oldest[1])
  end
end

local function live(topic_key, stream, who, ttl)
  call('PEXPIRE', topic_key, ttl)
  call('PEXPIRE', stream, ttl)
  if who then
    call('PEXPIRE', who, ttl)
  end
end

-- An outpost's publications are numbered without gaps. Those below `floor` were answered.
local function order(key, number, floor)
  local last = tonumber(call('GET', key) or '0')
  if last < floor - 1 then
    last = floor - 1
  end
  return number - last
end

-- The number of a publication that is said again; 0: too long ago.
local function find(stream, ident)
  local newest = call('XREVRANGE', stream, '+', '-', 'COUNT', 256)
  for _, entry in ipairs(newest) do
    if string.match(entry[2][2], '^E %S+ %S+ (%S+)') == ident then
      return tonumber(string.match(entry[1], '^%d+'))
    end
  end
  return 0
end

-- KEYS topic, stream, outpost's count; ARGV topic, outpost, number, floor, from, keep, event, data,
-- new epoch, count_max, bytes_max, ttl. {'ok', seq}, {'again', seq}, {'fenced', ms}, {'emptied', 0}
-- or {'order', expected}
local function publish()
  local topic, outpost, number, floor = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
  local time = now()
  local fence = tonumber(call('GET', name .. ':fence') or '0')
  if time < fence then
    return {'fenced', fence - time}
  end
  local ahead = order(KEYS[3], number, floor)
  local ident = outpost .. '.' .. text(number)
  if ahead < 1 then
    return {'again', find(KEYS[2], ident)}
  elseif ahead > 1 then
    return {'order', number - ahead + 1}
  end
  local epoch = call('HGET', KEYS[1], 'epoch')
  if not epoch and call('EXISTS', name .. ':fenced') == 0 then
    return {'emptied', 0}
  end
  call('SET', KEYS[3], text(number), 'PX', 86400000)
  if not epoch then
    epoch = ARGV[11]
    call('DEL', KEYS[2])
    call('HSET', KEYS[1], 'epoch', epoch)
  end
  local seq = call('HINCRBY', KEYS[1], 'seq', 1)
  local event = 'E ' .. epoch .. ' ' .. text(seq) .. ' ' .. ident .. ' ' .. text(time) .. ' '
    .. ARGV[7] .. ' ' .. ARGV[8] .. ' ' .. ARGV[9] .. '\n' .. ARGV[10]
  local total = call('HINCRBY', KEYS[1], 'total', #event)
  append(KEYS[2], seq, event, total, ARGV[12], tonumber(ARGV[13]))
  if ARGV[8] == '1' then
    call('HSET', KEYS[1], 'kept', event)
  elseif ARGV[8] == '0' then
    call('HDEL', KEYS[1], 'kept')
  end
  call('PUBLISH', channel(topic), event)
  live(KEYS[1], KEYS[2], nil, ARGV[14])
  return {'ok', seq}
end

-- The newest events after `seq`, in their order, within the bounds; and whether there are more.
local function events_after(stream, seq, count_max, bytes_max)
  local events, bytes = {}, 0
  local entries = call('XRANGE', stream, text(seq + 1) .. '-0', '+', 'COUNT', count_max)
  for _, entry in ipairs(entries) do
    bytes = bytes + #entry[2][2]
    if #events > 0 and bytes > bytes_max then
      return events, true
    end
    events[#events + 1] = entry[2][2]
  end
  return events, #entries == count_max
end

local function events_last(stream, count_max, bytes_max)
  local events, bytes, first = {}, 0, 0
  local entries = call('XREVRANGE', stream, '+', '-', 'COUNT', count_max)
  for i, entry in ipairs(entries) do
    bytes = bytes + #entry[2][2]
    if i > 1 and bytes > bytes_max then
      break
    end
    first = i
  end
  for i = first, 1, -1 do
    events[#events + 1] = entries[i][2][2]
  end
  return events
end

-- KEYS topic, stream, who is there; ARGV topic, epoch, seq and ident of the newest known event,
-- changes (known), new epoch, count_max, bytes_max, ttl.
-- {status, epoch, seq, kept, changes, events, who or nothing}. Changes -1: who is there is not
-- known yet, since a fence stands. The status: `first`, `ok`, `more`,
-- `behind` (the broker knows less), `forked` (other events have these numbers: they come, too),
-- `other` (the topic began anew), `later` (another outpost may know the topic: a fence stands)
local function follow()
  local known, seq, ident = ARGV[4], tonumber(ARGV[5]), ARGV[6]
  local count_max, bytes_max = tonumber(ARGV[9]), tonumber(ARGV[10])
  local topic = call('HMGET', KEYS[1], 'epoch', 'seq', 'kept', 'changes')
  local epoch, newest = topic[1], tonumber(topic[2] or '0')
  local status, events = 'ok', {}
  if not epoch then
    if known ~= '' and seq > 0 then
      return {'behind', known, 0, '', tonumber(topic[4] or '0'), {}, {}}
    end
    if known == '' and (call('EXISTS', name .. ':fence') == 1
                        or call('EXISTS', name .. ':fenced') == 0) then
      return {'later', ARGV[8], 0, '', 0, {}, {}}
    end
    epoch = known ~= '' and known or ARGV[8]
    call('DEL', KEYS[2])
    call('HSET', KEYS[1], 'epoch', epoch, 'seq', 0)
  end
  if known == '' then
    status, events = 'first', events_last(KEYS[2], count_max, bytes_max)
  elseif known ~= epoch then
    status, events = 'other', events_last(KEYS[2], count_max, bytes_max)
  else
    local last = seq < newest and seq or newest
    local entry = last > 0 and call('XRANGE', KEYS[2], text(last) .. '-0', text(last) .. '-0')[1]
    if seq > newest then
      return {'behind', epoch, newest, '', tonumber(topic[4] or '0'),
              {entry and entry[2][2] or nil}, {}}
    end
    local forked = entry and ident ~= '' and string.match(entry[2][2], '^E %S+ %S+ (%S+)') ~= ident
    local after = forked and math.max(seq - count_max, 0) or seq
    local more
    events, more = events_after(KEYS[2], after, count_max, bytes_max)
    status = forked and 'forked' or more and 'more' or 'ok'
  end
  live(KEYS[1], KEYS[2], KEYS[3], ARGV[11])
  local changes = tonumber(topic[4] or '0')
  local is_new = known == '' or changes ~= tonumber(ARGV[7])
  if is_new and known ~= '' and call('EXISTS', name .. ':fence') == 1 then
    return {status, epoch, newest, topic[3] or '', -1, events, false}
  end
  local who = is_new and call('HGETALL', KEYS[3]) or false
  return {status, epoch, newest, topic[3] or '', changes, events, who}
end

-- Gives the broker back what it has lost. KEYS topic, stream; ARGV topic, epoch, the seq that the
-- broker had, the seq that it is to have, kept, count_max, bytes_max, ttl, events. {'ok'} or
-- {'moved'}
local function mend()
  local topic, epoch, base, seq = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
  local now_known = call('HMGET', KEYS[1], 'epoch', 'seq', 'total')
  if tonumber(now_known[2] or '0') ~= base or (now_known[1] and now_known[1] ~= epoch) then
    return {'moved'}
  end
  local total = tonumber(now_known[3] or '0')
  if not now_known[1] then
    call('DEL', KEYS[2])
  end
  for i = 11, #ARGV do
    local event = ARGV[i]
    local number, outpost, count = string.match(event, '^E %S+ (%d+) (%S+)%.(%d+) ')
    total = total + #event
    append(KEYS[2], tonumber(number), event, total, ARGV[8], tonumber(ARGV[9]))
    local key = name .. ':r:' .. outpost
    if tonumber(call('GET', key) or '0') < tonumber(count) then
      call('SET', key, count, 'PX', 86400000)
    end
    call('PUBLISH', channel(topic), event)
  end
  call('HSET', KEYS[1], 'epoch', epoch, 'seq', text(seq), 'total', text(total))
  if ARGV[7] ~= '' then
    call('HSET', KEYS[1], 'kept', ARGV[7])
  end
  live(KEYS[1], KEYS[2], nil, ARGV[10])
  return {'ok'}
end

local function show_one(topic, topic_key, who, outpost, id, data)
  local changed
  if data ~= '' then
    local value = outpost .. ' ' .. data
    changed = call('HGET', who, id) ~= value
    if changed then
      call('HSET', who, id, value)
    end
  else
    changed = call('HDEL', who, id) == 1
  end
  if changed then
    local changes = call('HINCRBY', topic_key, 'changes', 1)
    local message = 'P ' .. text(changes) .. ' ' .. outpost .. ' ' .. id
    call('PUBLISH', channel(topic), data ~= '' and message .. ' ' .. data or message)
  end
end

-- KEYS topic, who is there; ARGV topic, outpost, ttl, then ids, each with its data (empty: left)
local function show()
  local topic, outpost, any = ARGV[3], ARGV[4], false
  for i = 6, #ARGV, 2 do
    show_one(topic, KEYS[1], KEYS[2], outpost, ARGV[i], ARGV[i + 1])
    any = any or ARGV[i + 1] ~= ''
  end
  if any then
    call('ZADD', name .. ':outposts', 'NX', text(now()), outpost) -- it may die before its next sign
    call('SADD', name .. ':m:' .. outpost, topic)
    call('PEXPIRE', name .. ':m:' .. outpost, 86400000)
  end
  call('PEXPIRE', KEYS[1], ARGV[5])
  call('PEXPIRE', KEYS[2], ARGV[5])
  return 1
end

-- As show(), and nobody else of this outpost is there.
local function show_all()
  local topic, outpost, listed = ARGV[3], ARGV[4], {}
  for i = 6, #ARGV, 2 do
    listed[ARGV[i]] = true
  end
  local all = call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    if not listed[all[i]] and string.match(all[i + 1], '^%S+') == outpost then
      show_one(topic, KEYS[1], KEYS[2], outpost, all[i], '')
    end
  end
  if #ARGV < 6 then
    call('SREM', name .. ':m:' .. outpost, topic)
    return 1
  end
  return show()
end

-- An outpost is over: takes its clients out of at most `max` topics. ARGV outpost, max, ttl or
-- empty: whatever the time. How many topics are left; -1: it lives
local function bury()
  local outpost, max = ARGV[3], tonumber(ARGV[4])
  local score = tonumber(call('ZSCORE', name .. ':outposts', outpost) or '0')
  if ARGV[5] ~= '' and now() - score <= tonumber(ARGV[5]) then
    return -1
  end
  if ARGV[5] ~= '' then
    call('SET', name .. ':lost:' .. outpost, 1, 'PX', 86400000)
  end
  local topics = call('SPOP', name .. ':m:' .. outpost, max)
  for _, topic in ipairs(topics) do
    local who, gone = name .. ':p:' .. topic, {}
    local all = call('HGETALL', who)
    for i = 1, #all, 2 do
      if string.match(all[i + 1], '^%S+') == outpost then
        gone[#gone + 1] = all[i]
      end
    end
    if #gone > 0 then
      for i = 1, #gone, 1000 do
        call('HDEL', who, unpack(gone, i, math.min(i + 999, #gone)))
      end
      local changes = call('HINCRBY', name .. ':t:' .. topic, 'changes', 1)
      call('PUBLISH', channel(topic), 'G ' .. text(changes) .. ' ' .. outpost)
    end
  end
  local left = call('SCARD', name .. ':m:' .. outpost)
  if left == 0 then
    call('ZREM', name .. ':outposts', outpost)
  end
  return left
end

-- A sign of life. ARGV outpost, ttl. {whether the outpost was taken for dead, dead outposts, the
-- memory, which is empty if the broker has been emptied}
local function beat()
  local outpost, ttl = ARGV[3], tonumber(ARGV[4])
  local time = now()
  local seen = tonumber(call('GET', name .. ':seen') or '0')
  call('SET', name .. ':seen', text(time))
  if time - seen > ttl / 2 then
    call('SET', name .. ':grace', text(time + ttl), 'PX', ttl)
  end
  local is_new = call('ZADD', name .. ':outposts', text(time), outpost) == 1
  local was_lost = call('DEL', name .. ':lost:' .. outpost) == 1
  local dead = {}
  if time >= tonumber(call('GET', name .. ':grace') or '0') then
    dead = call('ZRANGEBYSCORE', name .. ':outposts', '-inf', text(time - ttl), 'LIMIT', 0, 8)
  end
  return {(is_new or was_lost) and 1 or 0, dead, call('GET', name .. ':memory') or ''}
end

-- An outpost has come. The first one that comes to an instance of the broker makes the fence.
-- ARGV outpost, instance, fence ms, a new memory. {how long nothing is published in ms, the memory}
local function hello()
  local instance = ARGV[4]
  local time = now()
  local before = call('GET', name .. ':fenced')
  if before ~= instance then
    call('SET', name .. ':fenced', instance)
    call('SET', name .. ':memory', ARGV[6])
    call('SET', name .. ':fence', text(time + ARGV[5]), 'PX', ARGV[5])
    call('DEL', name .. ':synced')
    if not before then
      call('SET', name .. ':blind', 1, 'PX', ARGV[5])
    end
  end
  local fence = tonumber(call('GET', name .. ':fence') or '0')
  return {fence > time and fence - time or 0, call('GET', name .. ':memory')}
end

-- The outpost has mended what this instance had lost. The last one ends the fence. ARGV outpost
local function synced()
  if call('EXISTS', name .. ':fence') == 0 then
    return 0
  end
  call('SADD', name .. ':synced', ARGV[3])
  call('PEXPIRE', name .. ':synced', 60000)
  if call('EXISTS', name .. ':blind') == 1
    or call('SCARD', name .. ':synced') < call('ZCARD', name .. ':outposts') then
    return 1
  end
  for _, outpost in ipairs(call('ZRANGE', name .. ':outposts', 0, -1)) do
    if call('SISMEMBER', name .. ':synced', outpost) == 0 then
      return 1
    end
  end
  call('DEL', name .. ':fence')
  return 0
end

-- Topics that somebody follows stay. ARGV ttl, topics
local function touch()
  for i = 4, #ARGV do
    live(name .. ':t:' .. ARGV[i], name .. ':s:' .. ARGV[i], name .. ':p:' .. ARGV[i], ARGV[3])
  end
  return 1
end

local operations = {
  publish = publish, follow = follow, mend = mend, show = show, show_all = show_all, bury = bury,
  beat = beat, hello = hello, synced = synced, touch = touch,
}
return operations[op]()
