-- beat.lua - the sign of life of a server, and what it does not know yet of the others.
--
-- KEYS  NAME:servers   hash: tag -> instance and record
--       NAME:beats     sorted set: tag -> until when the server counts as alive
--       NAME:about     hash: tag -> what the server tells of itself, read by whoever shows it
--       NAME:registry  hash: version (another one after each change of NAME:servers), since when
--                      there is a registry, when the last server gave a sign of life
-- ARGV  tag, instance, record, lifetime in ms, lateness in ms, the version that the server knows,
--       what it tells of itself
--
-- Answers {"taken"} if another server has the tag; otherwise {"ok", version, whether the registry
-- is too young to know all servers, the tags of those that are late, all servers if the version is
-- another one}.
local servers, beats, about, registry = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local tag, instance, record = ARGV[1], ARGV[2], ARGV[3]
local lifetime, lateness = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local old = redis.call('HGET', servers, tag)
local changed = old ~= instance .. record
if old and string.sub(old, 1, #instance) ~= instance
    and tonumber(redis.call('ZSCORE', beats, tag) or 0) > now then
  return {'taken'}
end

-- If nobody gave a sign of life for a while, it was the broker that was away, not all the servers.
local last = tonumber(redis.call('HGET', registry, 'last') or 0)
local since = tonumber(redis.call('HGET', registry, 'since') or 0)
if since == 0 then
  since = now
  redis.call('HSET', registry, 'since', since)
end
if now - last > lifetime / 2 then
  for _, each in ipairs(redis.call('ZRANGE', beats, 0, -1)) do
    redis.call('ZADD', beats, now + lifetime, each)
  end
end

redis.call('ZADD', beats, now + lifetime, tag)
if changed then
  redis.call('HSET', servers, tag, instance .. record)
end
if redis.call('HGET', about, tag) ~= ARGV[7] then
  redis.call('HSET', about, tag, ARGV[7])
end
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', beats, '-inf', now)) do
  redis.call('ZREM', beats, dead)
  redis.call('HDEL', servers, dead)
  redis.call('HDEL', about, dead)
  changed = true
end
if changed then
  redis.call('HSET', registry, 'version', time[1] .. '.' .. time[2])
end
redis.call('HSET', registry, 'last', now)
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, 20 * lifetime)
end

local version = redis.call('HGET', registry, 'version')
local late = redis.call('ZRANGEBYSCORE', beats, '-inf', now + lifetime - lateness)
local all = version ~= ARGV[6] and redis.call('HGETALL', servers)
return {'ok', version, now - since < lifetime + 1000 and 1 or 0, late, all}
