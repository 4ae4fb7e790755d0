-- withdraw_report: Forgets what an operator has said of itself, because it ends.
--@ role  text  leading or waiting
--@ pod   text  name of the operator's pod
--> did  withdrawn|kept  kept: another pod has said what is there, or nothing is there
local name = key.operator(role)
if redis.call('HGET', name, 'pod') ~= pod then return {'kept'} end
redis.call('DEL', name)
return {'withdrawn'}
