-- Keys: the windows. Arguments: the cost, what must be left, then of each window its limit and its seconds.
local cost, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
local counts, allowed = redis.call('MGET', unpack(KEYS)), 1
for i = 1, #KEYS do
  counts[i] = tonumber(counts[i] or 0)
  if counts[i] + wanted > tonumber(ARGV[2 * i + 1]) then allowed = 0 end
end
if allowed == 1 and cost > 0 then
  for i = 1, #KEYS do
    counts[i] = redis.call('INCRBY', KEYS[i], cost)
    if counts[i] == cost then redis.call('EXPIRE', KEYS[i], ARGV[2 * i + 2]) end
  end
end
return {allowed, unpack(counts)}
