//! Vectors, and the range that they are shot on.

use gateway_core::plugin::Source;

use crate::wire::{Client, Edge, Seen, Setup, Upstream, everything_to};

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Keeps,
    Closes,
}
pub(crate) use Then::{Closes, Keeps};

/// Row, bytes, status, connection.
pub(crate) type Vector = (&'static str, Vec<u8>, u16, Then);

/// Follows every vector that has to end its connection: nobody may ever see it.
pub(crate) const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";

pub(crate) fn raw(row: &'static str, bytes: impl AsRef<[u8]>, status: u16, then: Then) -> Vector {
    (row, bytes.as_ref().to_vec(), status, then)
}

/// A GET with these fields, each with its line end.
pub(crate) fn get(row: &'static str, target: &str, fields: &str, status: u16, then: Then) -> Vector {
    raw(row, format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n"), status, then)
}

/// A POST with these fields and what comes after the head.
pub(crate) fn post(row: &'static str, fields: &str, body: &str, status: u16, then: Then) -> Vector {
    raw(row, format!("POST /x HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n{body}"), status, then)
}

pub(crate) fn line(row: &'static str, line: &str, status: u16, then: Then) -> Vector {
    raw(row, format!("{line}\r\nHost: a.example\r\n\r\n"), status, then)
}

pub(crate) fn host(row: &'static str, value: &str, status: u16, then: Then) -> Vector {
    raw(row, format!("GET /x HTTP/1.1\r\nHost: {value}\r\n\r\n"), status, then)
}

/// An edge, its upstream, and how many vectors went through.
pub(crate) struct Range {
    pub(crate) edge: Edge,
    pub(crate) upstream: Upstream,
    pub(crate) vectors: usize,
}

impl Range {
    pub(crate) async fn open() -> Self {
        let upstream = Upstream::echo().await;
        let edge = Setup::new(everything_to(&upstream)).start();
        Self { edge, upstream, vectors: 0 }
    }

    /// Sends each vector; gives what the upstream saw of each.
    pub(crate) async fn shoot(&mut self, vectors: Vec<Vector>) -> Vec<(Vector, Vec<Seen>)> {
        let mut all = Vec::new();
        let mut wrong = Vec::new();
        for vector in vectors {
            self.upstream.take();
            match self.one(&vector).await {
                Ok(seen) => all.push((vector, seen)),
                Err(what) => {
                    wrong.push(format!("{}: {:?}: {what}", vector.0, String::from_utf8_lossy(&vector.1)));
                }
            }
            self.vectors += 1;
        }
        assert!(wrong.is_empty(), "{} vectors went wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert_eq!(self.upstream.garbage(), Vec::<String>::new());
        for end in self.edge.ends.take() {
            let blamed = end.reason.is_some_and(gateway_core::Reason::blames_upstream);
            assert!(!blamed && end.source != Source::Error, "the upstream gets the blame: {end:?}");
        }
        all
    }

    pub(crate) async fn one(&self, (_, bytes, status, then): &Vector) -> Result<Vec<Seen>, String> {
        let mut client = self.edge.client().await;
        let method = String::from_utf8_lossy(bytes.split(|byte| *byte == b' ').next().unwrap_or_default())
            .into_owned();
        let mut sent = bytes.clone();
        if *then == Closes {
            sent.extend(SMUGGLED);
        }
        client.send(&sent).await;
        let answer = client.answer_to(&method).await.ok_or("no answer")?;
        if answer.status != *status {
            return Err(format!("{} {:?}", answer.status, answer.field("x-gateway-reason")));
        }
        // The head of an answer from the parser is hyper's; each other one is the gateway's.
        self.connection(&mut client, *then).await?;
        self.canary(&mut self.edge.client().await).await?;
        let seen: Vec<_> =
            self.upstream.take().into_iter().filter(|seen| seen.target() != "/canary").collect();
        for seen in &seen {
            if seen.target().contains("smuggled") {
                return Err("a second request came through".into());
            }
            seen.assert_canonical(&String::from_utf8_lossy(bytes));
        }
        let whole = seen.iter().filter(|seen| !seen.broken).count();
        if whole != usize::from(*status == 200) {
            return Err(format!("the upstream saw {seen:?}"));
        }
        Ok(seen)
    }

    pub(crate) async fn connection(&self, client: &mut Client, then: Then) -> Result<(), String> {
        match then {
            Keeps => self.canary(client).await,
            Closes => match client.closes().await {
                Some(rest) if rest.is_empty() => Ok(()),
                Some(rest) => Err(format!("more came: {:?}", String::from_utf8_lossy(&rest))),
                None => Err("the connection stays open".into()),
            },
        }
    }

    pub(crate) async fn canary(&self, client: &mut Client) -> Result<(), String> {
        let answer = client.get("/canary").await.ok_or("the canary got no answer")?;
        let right = answer.status == 200 && answer.body == "/canary";
        if right { Ok(()) } else { Err(format!("the canary got {answer:?}")) }
    }
}

/// The same vectors on a route that does not wait for the body.
pub(crate) fn streamed(vectors: Vec<Vector>) -> Vec<Vector> {
    let to_stream = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).replacen(" /x ", " /stream ", 1);
        text.into_bytes()
    };
    vectors.into_iter().map(|(row, bytes, status, then)| (row, to_stream(&bytes), status, then)).collect()
}
