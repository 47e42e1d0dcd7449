//! Proof that the proxies do the same work: what each one sends to the upstream and to the client.

use crate::Result;
use crate::bench::http::Client;
use crate::bench::peer::{Peer, Work};
use crate::bench::stage::{PATH, Stage};

/// What the upstream must get (compat P33), each a start of a line in lower case.
const TO_UPSTREAM: &[&str] = &[
    "get /hello http/1.1",
    "host: ",
    "via: 1.1 ",
    "x-forwarded-for: ",
    "x-forwarded-proto: http",
    "x-forwarded-host: bench.test",
    "x-forwarded-port: 180",
    "x-forwarded-path: /api/hello",
    "x-forwarded-prefix: /api",
    "x-real-ip: 127.0.0.1",
    "x-kong-request-id: ",
];

/// What the client must get (compat P31).
const TO_CLIENT: &[&str] = &[
    "http/1.1 200",
    "server: upstream",
    "via: 1.1 ",
    "x-kong-request-id: ",
    "x-kong-upstream-latency: ",
    "x-kong-proxy-latency: ",
];

/// Prints both heads.
///
/// # Errors
/// A field that a proxy should send and does not.
pub(crate) async fn check(peer: &Peer, stage: &Stage) -> Result<()> {
    let mut client = Client::connect(stage.address()).await?;
    let response = client.get(PATH).await?.ok()?;
    let (to_upstream, to_client) = (text(response.body), text(response.head));
    println!(
        "--- {} to the upstream\n{to_upstream}\n--- {} to the client\n{to_client}",
        peer.name, peer.name
    );
    if peer.work == Work::Bare {
        return Ok(());
    }
    let missing: Vec<&str> =
        missing(&to_upstream, TO_UPSTREAM).chain(missing(&to_client, TO_CLIENT)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("does not send {missing:?}").into()) }
}

fn missing(head: &str, wanted: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    let head = head.to_ascii_lowercase();
    wanted.iter().copied().filter(move |start| !head.lines().any(|line| line.starts_with(start)))
}

fn text(head: &[u8]) -> String {
    String::from_utf8_lossy(head).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_missing_unless_a_line_starts_with_it() {
        let head = "GET /hello HTTP/1.1\r\nX-Via: 1.1 x\r\nHost: a";
        let missing: Vec<_> = missing(head, &["get /hello", "host: ", "via: 1.1 "]).collect();
        assert_eq!(missing, ["via: 1.1 "]);
    }
}
