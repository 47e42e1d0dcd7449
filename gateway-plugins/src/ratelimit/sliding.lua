-- Keys: of each window the newer half and the older one. Arguments: the cost, what must be left, then of each window
-- its limit, how many milliseconds of the older half are within, its length, and its seconds.
local cost, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
local counts, allowed = redis.call('MGET', unpack(KEYS)), 1
for i = 1, #KEYS do counts[i] = tonumber(counts[i] or 0) end
for i = 0, #KEYS / 2 - 1 do
  local limit, within, length = tonumber(ARGV[4 * i + 3]), tonumber(ARGV[4 * i + 4]), tonumber(ARGV[4 * i + 5])
  local used = counts[2 * i + 1] + math.ceil(counts[2 * i + 2] * within / length)
  if used + wanted > limit then allowed = 0 end
end
if allowed == 1 and cost > 0 then
  for i = 0, #KEYS / 2 - 1 do
    local key = KEYS[2 * i + 1]
    counts[2 * i + 1] = redis.call('INCRBY', key, cost)
    if counts[2 * i + 1] == cost then redis.call('EXPIRE', key, ARGV[4 * i + 6]) end
  end
end
return {allowed, unpack(counts)}
