//! The closed-loop load generator `wrk` and what it prints.

use std::time::Duration;

use crate::Result;
use crate::bench::peer::find;
use crate::bench::process::{output, pinned};
use crate::bench::stage::Stage;

/// What one run of wrk saw.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Loads the proxy from the load core.
///
/// # Errors
/// Any answer that is not a success and any socket error: such a run would compare nothing.
pub(crate) async fn run(stage: &Stage, connections: usize, time: Duration) -> Result<Seen> {
    let wrk = find("wrk").ok_or("wrk is missing: apt-get install wrk")?;
    let mut command = pinned(stage.cores.load, wrk);
    command.args(["-t1", "-c", &connections.to_string()]);
    command.args(stage.field.iter().flat_map(|field| ["-H", field]));
    // wrk takes whole seconds.
    command.args(["-d", &format!("{}s", time.as_secs().max(1)), "--latency"]).arg(stage.url());
    let printed = output(command, time + Duration::from_secs(10)).await?;
    if printed.contains("Non-2xx") || printed.contains("Socket errors") {
        return Err(format!("wrk saw errors:\n{printed}").into());
    }
    parse(&printed).ok_or_else(|| format!("wrk printed something new:\n{printed}").into())
}

fn parse(printed: &str) -> Option<Seen> {
    let total = printed.lines().find(|line| line.contains(" requests in "))?;
    let (requests, rest) = total.trim().split_once(" requests in ")?;
    let latency =
        |name| printed.lines().find_map(|line| line.trim().strip_prefix(name)).and_then(microseconds);
    Some(Seen {
        requests: requests.parse().ok()?,
        seconds: microseconds(rest.split(',').next()?)? / 1e6,
        p50_us: latency("50%")?,
        p99_us: latency("99%")?,
    })
}

/// wrk's times: `812.00us`, `2.31ms`, `3.00s`, `1.02m`.
fn microseconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let factor = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 60e6,
        _ => return None,
    };
    text.strip_suffix(unit)?.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_read() {
        let printed = "\
Running 3s test @ http://127.0.0.1:18081/api/hello
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.55ms  250.11us   8.11ms   91.50%
    Req/Sec    41.20k     1.66k   43.50k    83.33%
  Latency Distribution
     50%    1.51ms
     75%    1.60ms
     90%    1.72ms
     99%  912.00us
  123012 requests in 3.00s, 150.86MB read
Requests/sec:  41003.12
Transfer/sec:     50.29MB
";
        let seen = Seen { requests: 123_012.0, seconds: 3.0, p50_us: 1510.0, p99_us: 912.0 };
        assert_eq!(parse(printed), Some(seen));
    }

    #[test]
    fn units_of_time_are_told_apart() {
        assert_eq!(microseconds(" 812.00us"), Some(812.0));
        assert_eq!(microseconds("3.00s"), Some(3e6));
        assert_eq!(microseconds("1.00h"), None);
    }
}
