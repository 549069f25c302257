-- leave.lua - a server ends, and says so. KEYS as of beat.lua; ARGV: tag, instance.
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old or string.sub(old, 1, #ARGV[2]) ~= ARGV[2] then
  return 0
end
local time = redis.call('TIME')
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('HSET', KEYS[4], 'version', time[1] .. '.' .. time[2])
return 1
