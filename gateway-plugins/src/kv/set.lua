-- Key: the value's. Arguments: the version and the value, its seconds or 0, the condition. Answers nothing, or the version
-- that is in the way: empty where there is no value.
if ARGV[3] ~= 'always' then
  local held = redis.call('GETRANGE', KEYS[1], 0, 7)
  local wanted = ARGV[3] == 'absent' and '' or ARGV[3]
  if held ~= wanted then return held end
end
if ARGV[2] == '0' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
return false
