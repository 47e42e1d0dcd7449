//! A call on its way, and what it brings.

use std::{convert::Infallible, sync::Weak, time::Duration};

use gateway_core::{Body, BoxError};
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use tokio::{sync::oneshot, time::timeout};

use super::{
    messages::Messages,
    status::{DEADLINE_EXCEEDED, Ended, INTERNAL, UNKNOWN, of_error, of_http, told},
};
use crate::{
    event::{Event, Received},
    home::{Keeper, deliver},
    sources::Calling,
};

/// What a guest wants of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One message within this time, or the status that there was in place of it.
    Unary(Duration),
    /// All that comes, as it comes.
    Stream,
}

/// Tells the context that made a call.
pub(crate) struct Teller {
    pub(crate) worker: Weak<dyn Keeper>,
    pub(crate) life: u64,
    pub(crate) context: u32,
    pub(crate) root: u32,
    pub(crate) token: u32,
}

impl Teller {
    /// Ready once the guest has been told: an upstream is not read faster than a guest hears.
    async fn tell(&self, received: Received) {
        let (heard, wait) = oneshot::channel::<Infallible>();
        let event = Event::Grpc(self.token, received, heard);
        deliver(self.worker.clone(), self.life, (self.context, self.root), event).await;
        let _ = wait.await;
    }
}

/// Makes a call with messages up to `most` bytes, and tells what it brings, its end last.
pub(crate) async fn run(calling: Calling, shape: Shape, most: usize, teller: Teller) {
    let ended = match shape {
        Shape::Stream => stream(calling, most, &teller).await,
        Shape::Unary(time) => match timeout(time, unary(calling, most)).await {
            Ok(answered) => answered,
            Err(_) => Err((DEADLINE_EXCEEDED, "no answer in time".into())),
        },
    };
    match ended {
        Ok(last) => teller.tell(last).await,
        Err((code, message)) => teller.tell(Received::Closed(code, message)).await,
    }
}

/// The message of a call that has gone well.
async fn unary(calling: Calling, most: usize) -> Result<Received, Ended> {
    let mut answer = Answer::of(calling, most).await?;
    let message = answer.next().await?;
    let excess = answer.next().await?.is_some();
    let (code, words) = answer.end();
    match message {
        _ if code != 0 => Err((code, words)),
        Some(message) if !excess => Ok(message),
        _ => Err((INTERNAL, "not one message".into())),
    }
}

/// What comes in a stream; its end is left.
async fn stream(calling: Calling, most: usize, teller: &Teller) -> Result<Received, Ended> {
    let mut answer = Answer::of(calling, most).await?;
    let metadata = std::mem::take(&mut answer.metadata);
    if answer.told.is_none() {
        teller.tell(Received::Initial(metadata)).await;
    } else {
        // The only block of fields is the trailers (gRPC over HTTP/2, Trailers-Only).
        answer.trailers = Some(metadata);
    }
    while let Some(message) = answer.next().await? {
        teller.tell(message).await;
    }
    if let Some(trailers) = answer.trailers.take() {
        teller.tell(Received::Trailing(trailers)).await;
    }
    let (code, words) = answer.end();
    Ok(Received::Closed(code, words))
}

/// An answer of gRPC.
struct Answer {
    metadata: HeaderMap,
    body: Body,
    messages: Messages,
    trailers: Option<HeaderMap>,
    told: Option<Ended>,
}

impl Answer {
    async fn of(calling: Calling, most: usize) -> Result<Self, Ended> {
        let response = calling.await.map_err(|error| of_error(&error))?;
        let told = told(response.headers());
        if told.is_none() && !is_grpc(&response) {
            return Err(of_http(response.status()));
        }
        let (head, body) = response.into_parts();
        Ok(Self { metadata: head.headers, body, messages: Messages::new(most), trailers: None, told })
    }

    /// The next message; none once there are no more.
    async fn next(&mut self) -> Result<Option<Received>, Ended> {
        loop {
            if let Some(message) = self.messages.next()? {
                return Ok(Some(Received::message(message)));
            }
            let Some(frame) = self.body.frame().await else {
                let cut = self.messages.is_within();
                return if cut { Err((INTERNAL, "the last message is cut".into())) } else { Ok(None) };
            };
            match frame.map_err(|error: BoxError| of_error(&error))?.into_data() {
                Ok(data) => self.messages.push(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    self.told = told(&trailers);
                    self.trailers = Some(trailers);
                }
            }
        }
    }

    fn end(self) -> Ended {
        self.told.unwrap_or_else(|| (UNKNOWN, "the upstream has said no status".into()))
    }
}

fn is_grpc(response: &Response<Body>) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    let said = content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    response.status() == StatusCode::OK && said
}
