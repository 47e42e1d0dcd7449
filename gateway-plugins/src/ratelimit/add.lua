-- Keys: counters. Arguments: of each what to add and its seconds.
local totals = {}
for i = 1, #KEYS do
  local delta = tonumber(ARGV[2 * i - 1])
  totals[i] = redis.call('INCRBY', KEYS[i], delta)
  if totals[i] == delta then redis.call('EXPIRE', KEYS[i], ARGV[2 * i]) end
end
return totals
