-- SPDX-License-Identifier: MIT
-- What servers share of script access: bans, and what the DNS has answered (policy.h).
--
-- KEYS  1 the key of hashes: hex
--       2 how often all bans were lifted
--       3 the bans: a sorted set, member: the hash, 8 octets; score: the end in ms
--       4 the channel
--       5 an answer of the DNS, or `?` while somebody asks for it
-- ARGV  1 the operation, and what it wants
--
-- A ban in an answer and in an announcement is its hash and 4 octets: the ms that remain. Clocks of
-- servers do not matter: only the broker's counts.

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function ban(hash, remains_ms)
  return hash .. struct.pack('>I4', remains_ms)
end

local do_it = {}

-- KEY LIFTS, as the server knows them: the broker may have lost its own. -> key, lifts
function do_it.hello()
  redis.call('SET', KEYS[1], ARGV[2], 'NX')
  local lifts = tonumber(redis.call('GET', KEYS[2]) or '0')
  if lifts < tonumber(ARGV[3]) then
    lifts = tonumber(ARGV[3])
    redis.call('SET', KEYS[2], ARGV[3])
  end
  return {redis.call('GET', KEYS[1]), lifts}
end

-- MAX HASH MS HASH MS ... What is known already, but for a second, is not announced again; beyond MAX
-- those that end first are forgotten. -> how many were news
function do_it.ban()
  local now, news = now_ms(), {}
  for i = 3, #ARGV, 2 do
    local ends = now + tonumber(ARGV[i + 1])
    local known = redis.call('ZSCORE', KEYS[3], ARGV[i])
    if not known or tonumber(known) < ends - 1000 then
      redis.call('ZADD', KEYS[3], ends, ARGV[i])
      news[#news + 1] = ban(ARGV[i], ARGV[i + 1])
    end
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[3], 0, now)
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[2]))
  if #news > 0 then
    redis.call('PEXPIRE', KEYS[3], 90000000)
    redis.call('PUBLISH', KEYS[4], 'B' .. table.concat(news))
  end
  return #news
end

-- FROM COUNT: bans from the one that ends last. -> them; no fewer than there are, for new ones only
-- move the others down
function do_it.read()
  local now, found = now_ms(), {}
  local all = redis.call('ZRANGE', KEYS[3], ARGV[2], ARGV[2] + ARGV[3] - 1, 'REV', 'WITHSCORES')
  for i = 1, #all, 2 do
    local remains = tonumber(all[i + 1]) - now
    if remains <= 0 then
      break
    end
    found[#found + 1] = ban(all[i], remains)
  end
  return table.concat(found)
end

function do_it.lift()
  redis.call('DEL', KEYS[3])
  local lifts = tonumber(redis.call('GET', KEYS[2]) or '0') + 1
  redis.call('SET', KEYS[2], lifts)
  redis.call('PUBLISH', KEYS[4], 'L' .. lifts)
  return lifts
end

-- MS: how long whoever asks has for it. -> the answer and the ms that it holds; or `ask`, or `wait`
function do_it.ask()
  local known = redis.call('GET', KEYS[5])
  if not known then
    redis.call('SET', KEYS[5], '?', 'PX', ARGV[2])
    return {'ask'}
  end
  if known == '?' then
    return {'wait'}
  end
  return {'known', known, redis.call('PTTL', KEYS[5])}
end

return do_it[ARGV[1]]()
