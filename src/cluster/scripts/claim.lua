-- claim.lua - which server has what the client with a key has begun, or begins it now.
--
-- KEYS  NAME:k:HASH, of the key
-- ARGV  the tag of the server that asks, for how many ms it claims, the tag of a server that is
--       gone, or nothing
--
-- Answers the tag of the server that has it.
local owner = redis.call('GET', KEYS[1])
if not owner or owner == ARGV[3] then
  owner = ARGV[1]
end
if owner == ARGV[1] then
  redis.call('SET', KEYS[1], owner, 'PX', ARGV[2])
end
return owner
