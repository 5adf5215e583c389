-- Appends an entry to a room's log, and tells it: one atomic step.
--
-- KEYS: the log's head {e: epoch, s: last offset, p: primary}, its stream, the versions told of its
--       tasks {task: version}, the place of this entry {e, s, t}, the clock over all rooms {t: last stamp, b: the stamp after
--       which it began, p: the primary that took over at b}.
-- ARGV: the room's channel, the entry's id, its payload, an epoch if the log begins, how many entries are kept, for how
--       many seconds, for how many seconds ids and versions are, the task or '', its version, the version that must have
--       been told before, '1' if that may still be on its way.
local head, stream, versions, seen, clock = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local channel, id, payload, fresh = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local length, kept, known_for = ARGV[5], ARGV[6], ARGV[7]
local task, version, base, is_base_new = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11] == '1'

local place = redis.call('HMGET', seen, 'e', 's', 't')
if place[1] then
  return {'before', place[1], place[2], place[3]}
end

if task ~= '' then
  local last = tonumber(redis.call('HGET', versions, task) or '')
  if last and version <= last then
    return {'late'}
  end
  if last and last < base then
    return {'early', tostring(last)}
  end
  if not last and is_base_new then
    return {'early', '0'}
  end
end

-- A clock that was lost goes on from the time, so that no stamp is given twice. One that is there goes slower than the time.
local now = redis.call('TIME')
local stamp = redis.call('HINCRBY', clock, 't', 1)
if stamp == 1 then
  stamp = tonumber(now[1]) * 1000000 + tonumber(now[2])
  redis.call('HSET', clock, 't', string.format('%.0f', stamp), 'b', string.format('%.0f', stamp - 1))
end
redis.call('EXPIRE', clock, kept * 2)
stamp = string.format('%.0f', stamp)

local primary = redis.call('HGET', clock, 'p') or ''
local known = redis.call('HMGET', head, 'e', 'p')
local epoch = known[1]
if not epoch or (known[2] or '') ~= primary then
  epoch = fresh
  redis.call('HSET', head, 'e', epoch, 'p', primary, 's', '0')
  -- What another primary gave may never have come here. A stream that outlived its head has offsets of another epoch.
  redis.call('DEL', stream)
end
local offset = redis.call('HINCRBY', head, 's', 1)
redis.call('EXPIRE', head, kept * 2)
redis.call('XADD', stream, 'MAXLEN', length, offset .. '-0', 'i', id, 't', stamp, 'p', payload)
redis.call('EXPIRE', stream, kept)
redis.call('HSET', seen, 'e', epoch, 's', offset, 't', stamp)
redis.call('EXPIRE', seen, known_for)
if task ~= '' then
  redis.call('HSET', versions, task, ARGV[9])
  redis.call('EXPIRE', versions, known_for)
end
redis.call('PUBLISH', channel, 'e' .. epoch .. ' ' .. offset .. ' ' .. stamp .. ' ' .. id .. ' ' .. payload)
return {'at', epoch, tostring(offset), stamp}
