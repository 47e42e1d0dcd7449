//! What clients are told of limits.

use plugin_contract::{
    NOW, decode,
    ratelimit::{Allow, Decision, Report, Says},
};

use super::{answers::now, response::headers};
use crate::{
    host::Status,
    testing::{
        scripted::{FAILED, Result, encoded},
        world::World,
    },
};

pub(super) fn report(world: &World, call: &Report<'_>) -> Result {
    if call.fields.len() + call.refused.len() > 64 {
        return Err(Status::BAD_ARGUMENT);
    }
    let (bytes, mut reports) = (encoded(call)?, world.reports.borrow_mut());
    let known = reports.iter().position(|known| *known == bytes).unwrap_or_else(|| {
        reports.push(bytes);
        reports.len() - 1
    });
    now(&u32::try_from(known).unwrap_or(u32::MAX))
}

/// `check` asks the limiter.
pub(super) fn allow(world: &World, call: Allow<'_>, check: impl FnOnce(&[u8]) -> Result) -> Result {
    let answer = check(&encoded(&call.check)?)?;
    let Some((&NOW, answer)) = answer.split_first() else { return Err(Status::BAD_ARGUMENT) };
    let decision = decode::<Option<Decision>>(answer).ok_or(FAILED)?;
    if let Some(decision) = &decision {
        tell(world, call.report, decision)?;
    }
    now(&decision.map(|decision| decision.allowed))
}

pub(super) fn tell(world: &World, report: u32, decision: &Decision) -> Result {
    let reports = world.reports.borrow();
    let report = usize::try_from(report).ok().and_then(|at| reports.get(at)).ok_or(Status::BAD_ARGUMENT)?;
    let Report { fields, refused } = decode(report).ok_or(FAILED)?;
    let refused = refused.iter().filter(|_| !decision.allowed);
    let said: Vec<_> = fields
        .iter()
        .chain(refused)
        .filter_map(|(name, says)| Some((*name, said(*says, decision)?)))
        .collect();
    headers(world, said.iter().map(|(name, value)| (*name, value.as_str())))
}

fn said(says: Says<'_>, Decision { windows, .. }: &Decision) -> Option<String> {
    Some(match says {
        Says::Text(text) => text.to_owned(),
        Says::Limit(of) => of.among(windows)?.limit.to_string(),
        Says::Remaining(of) => of.among(windows)?.remaining.to_string(),
        Says::Reset(of) => of.among(windows)?.reset.to_string(),
    })
}
