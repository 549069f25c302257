-- claim.lua - which server has what the client with a key has begun, or begins it now.
--
-- KEYS  NAME:k:HASH, of the key
-- ARGV  the tag of the server that asks, for how many ms it claims (0: not any more), the tag of a
--       server that is gone, or nothing
--
-- Answers the tag of the server that has it.
local owner = redis.call('GET', KEYS[1])
if ARGV[2] == '0' then
  if owner == ARGV[1] then
    redis.call('DEL', KEYS[1])
  end
  return ARGV[1]
end
if not owner or owner == ARGV[3] then
  owner = ARGV[1]
end
if owner == ARGV[1] then
  redis.call('SET', KEYS[1], owner, 'PX', ARGV[2])
end
return owner
