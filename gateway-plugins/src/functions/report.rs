//! What clients are told of limits.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use plugin_contract::{
    Call as _, NOW, encode,
    ratelimit::{self as contract, Allow, Check, Decision, Of, Says, State, Tell},
};

use super::{kept::Kept, now, ratelimit::checked, read, response::field};
use crate::{Call, ForeignFunction, Returned, Status, names::Names, ratelimit::Checked, services::Services};

pub(super) fn register(services: &mut Services) {
    services.add(contract::Report::NAME, Arc::new(report));
    services.add(Allow::NAME, Arc::new(allow));
    services.add(Tell::NAME, Arc::new(tell));
}

/// A function has been put in place of the one that was there: who answers `check` answers what `allow` asks.
pub(crate) fn follow(services: &mut Services, name: &str) {
    if name == Check::NAME
        && let Some(check) = services.shared(name)
    {
        services.add(Allow::NAME, Arc::new(AllowBy(check)));
    }
}

/// Fields of one report.
const FIELDS: usize = 64;

/// A report, read as fields.
struct Report {
    fields: Vec<Field>,
    refused: Vec<Field>,
}

/// A name, and what it says.
type Field = (HeaderName, Said);

enum Said {
    Text(HeaderValue),
    Limit(Of),
    Remaining(Of),
    Reset(Of),
}

/// The windows of a limiter.
struct Windows<'a> {
    all: &'a [State],
    tightest: Option<&'a State>,
}

impl Report {
    /// Refused where one of its fields is none, or frames the message.
    fn new(report: &contract::Report<'_>, names: &mut Names) -> Result<Self, Status> {
        if report.fields.len() + report.refused.len() > FIELDS {
            return Err(Status::BadArgument);
        }
        let mut read = |fields: &[(&str, Says<'_>)]| {
            fields.iter().map(|(name, says)| Said::new(name, *says, names)).collect::<Result<_, _>>()
        };
        Ok(Self { fields: read(&report.fields)?, refused: read(&report.refused)? })
    }

    /// Has the answer say it, if it can be said.
    fn write(&self, allowed: bool, windows: &[State], call: &mut Call<'_>) -> Result<(), Status> {
        let effects = call.effects.as_deref_mut().ok_or(Status::BadArgument)?;
        let refused = self.refused.iter().filter(|_| !allowed);
        let windows = Windows { all: windows, tightest: Of::Tightest.among(windows) };
        let said = |(name, said): &Field| Some(said.of(&windows)?.map(|value| (name.clone(), value)));
        effects.set_response_headers(self.fields.iter().chain(refused).filter_map(said))
    }
}

impl Said {
    fn new(name: &str, says: Says<'_>, names: &mut Names) -> Result<Field, Status> {
        let text = if let Says::Text(text) = says { text } else { "" };
        let (name, text) = field(names, name.as_bytes(), text.as_bytes())?;
        let said = match says {
            Says::Text(_) => Self::Text(text),
            Says::Limit(of) => Self::Limit(of),
            Says::Remaining(of) => Self::Remaining(of),
            Says::Reset(of) => Self::Reset(of),
        };
        Ok((name, said))
    }

    /// The value; none of a window that is not there.
    fn of(&self, windows: &Windows<'_>) -> Option<Result<HeaderValue, Status>> {
        let number = match self {
            Self::Text(text) => return Some(Ok(text.clone())),
            Self::Limit(of) => windows.get(*of)?.limit,
            Self::Remaining(of) => windows.get(*of)?.remaining,
            Self::Reset(of) => windows.get(*of)?.reset.into(),
        };
        Some(digits(number))
    }
}

impl<'a> Windows<'a> {
    fn get(&self, of: Of) -> Option<&'a State> {
        if of == Of::Tightest { self.tightest } else { of.among(self.all) }
    }
}

/// A value of digits. What `http` makes of a number takes memory twice.
fn digits(number: u64) -> Result<HeaderValue, Status> {
    HeaderValue::from_str(itoa::Buffer::new().format(number)).map_err(|_| Status::InternalFailure)
}

/// Makes a report.
fn report(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let asked: contract::Report<'_> = read(arguments)?;
    let reports: &Kept<Report> = call.configuration.kept().ok_or(Status::InternalFailure)?;
    let number = reports.number(arguments, || Report::new(&asked, call.names))?;
    now::<contract::Report<'_>>(call, number)
}

/// Asks a limiter, and has the answer say what it said. Nothing is counted where that cannot be.
fn allow(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Allow { check, report } = read(arguments)?;
    let report = kept(report, call)?;
    // Whoever would answer later has been asked nothing yet.
    let Checked::Now(verdict) = checked(check, call)? else { return Err(Status::BadArgument) };
    report.write(verdict.allowed, &verdict.windows, call)?;
    now::<Allow<'_>>(call, Some(verdict.allowed))
}

/// `allow` by a `check` that is not the gateway's.
struct AllowBy(Arc<dyn ForeignFunction>);

impl ForeignFunction for AllowBy {
    fn call(&self, arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
        let Allow { check, report } = read(arguments)?;
        let report = kept(report, call)?;
        let check = encode(&check, Vec::new()).map_err(|_| Status::SerializationFailure)?;
        let answer = match self.0.call(&check, call)? {
            Returned::Written => std::mem::take(call.answer),
            Returned::Now(answer) => answer.into(),
            Returned::Later(_) => return Err(Status::BadArgument),
        };
        let Some((&NOW, answer)) = answer.split_first() else { return Err(Status::InternalFailure) };
        let decision: Option<Decision> = read(answer).map_err(|_| Status::InternalFailure)?;
        if let Some(decision) = &decision {
            report.write(decision.allowed, &decision.windows, call)?;
        }
        now::<Allow<'_>>(call, decision.map(|decision| decision.allowed))
    }
}

/// Has the answer say what a limiter said.
fn tell(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Tell { report, decision } = read(arguments)?;
    kept(report, call)?.write(decision.allowed, &decision.windows, call)?;
    now::<Tell>(call, ())
}

/// The report of this number, where there is an answer to come.
fn kept<'a>(report: u32, call: &Call<'a>) -> Result<&'a Report, Status> {
    let reports: &Kept<Report> = call.configuration.kept().ok_or(Status::InternalFailure)?;
    reports.get(report).filter(|_| call.effects.is_some()).ok_or(Status::BadArgument)
}
