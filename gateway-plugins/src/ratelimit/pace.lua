-- Keys: the buckets, each "WHEN LEVEL". Arguments: the cost, what must be left, now, then of each window its limit and
-- its length. A level is in cost x milliseconds of the period.
local cost, wanted, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local buckets, levels, allowed = redis.call('MGET', unpack(KEYS)), {}, 1
for i = 1, #KEYS do
  local limit, length = tonumber(ARGV[2 * i + 2]), tonumber(ARGV[2 * i + 3])
  local at, level = now, 0
  if buckets[i] then
    at, level = string.match(buckets[i], '^(%d+) (%d+)$')
    at, level = tonumber(at), tonumber(level)
  end
  levels[i] = math.max(0, level - math.max(0, now - at) * limit)
  if levels[i] + wanted * length > limit * length then allowed = 0 end
end
if allowed == 1 and cost > 0 then
  for i = 1, #KEYS do
    local limit, length = tonumber(ARGV[2 * i + 2]), tonumber(ARGV[2 * i + 3])
    levels[i] = levels[i] + cost * length
    local seconds = math.ceil(levels[i] / limit / 1000) + 1
    redis.call('SET', KEYS[i], string.format('%.0f %.0f', now, levels[i]), 'EX', seconds)
  end
end
return {allowed, unpack(levels)}
