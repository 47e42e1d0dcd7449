-- Key: the value's. Argument: the condition.
if ARGV[1] == 'absent' then return 0 end
if ARGV[1] ~= 'always' and redis.call('GETRANGE', KEYS[1], 0, 7) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
