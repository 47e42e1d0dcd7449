-- Key: the counter. Arguments: what to add, and its seconds. It stops at the ends of its range.
local delta = ARGV[1]
if delta == '0' then return redis.call('GET', KEYS[1]) or '0' end
local was = redis.pcall('INCRBY', KEYS[1], delta)
if type(was) == 'table' and was.err then
  if not string.find(was.err, 'overflow') then return was end
  local last = '9223372036854775807'
  if string.sub(delta, 1, 1) == '-' then last = '-9223372036854775808' end
  redis.call('SET', KEYS[1], last, 'KEEPTTL')
elseif redis.call('TTL', KEYS[1]) < 0 then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return redis.call('GET', KEYS[1])
