//! `/explain`: why a request goes where it goes. Not Kong's.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use gateway_core::explain::{Question, Report};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde_json::Value;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{
    extract::Short,
    json,
    reply::{self, Failure},
};
use crate::Control;

/// How many questions are answered at once. Each looks at every route: more would take the processors from the
/// workers, and the memory of as many reports.
const AT_ONCE: usize = 2;

/// The room for questions.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// Answers the [`Question`] that the body holds from the running configuration. It changes nothing. Where others are
/// being answered it does not wait: 503.
pub(super) async fn explain(
    State(control): State<Arc<Control>>,
    Short(body): Short,
    Room(room): Room,
) -> Result<Response, Failure> {
    let body = json::value(&body)?;
    let question: Question = match serde_json::from_value(body) {
        Ok(question) => question,
        Err(error) => return Ok(reply::message(StatusCode::BAD_REQUEST, &error.to_string())),
    };
    let Ok(permit) = room.try_acquire_owned() else { return Ok(busy()) };
    // It looks at every route: other requests are answered meanwhile. The permit stays with the work, which goes on
    // where the client has gone.
    let explained = spawn_blocking(move || {
        let _permit = permit;
        control.gateway().explain(&question)
    });
    Ok(match explained.await {
        Ok(Ok(report)) => reply::ok(&shown(&report)),
        Ok(Err(error)) => reply::message(StatusCode::BAD_REQUEST, &error.to_string()),
        Err(_) => reply::message(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred"),
    })
}

fn busy() -> Response {
    let text = format!("{AT_ONCE} requests are being explained already, ask again in a moment");
    let mut response = reply::message(StatusCode::SERVICE_UNAVAILABLE, &text);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn shown(report: &Report) -> Value {
    serde_json::to_value(report).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::mpsc, task::Poll};

    use gateway_core::Gateway;

    use super::*;

    async fn ask(control: &Arc<Control>, room: &Room) -> Response {
        let body = Short(br#"{"url": "http://a.t/"}"#.as_slice().into());
        explain(State(Arc::clone(control)), body, room.clone()).await.unwrap()
    }

    #[tokio::test]
    async fn a_question_finds_room_or_is_told_to_come_again() {
        let control = Arc::new(Control::new(Gateway::builder().build().unwrap()));
        let room = Room::default();
        let others: Vec<_> = (0..AT_ONCE).map(|_| room.0.try_acquire().unwrap()).collect();
        let refused = ask(&control, &room).await;
        assert_eq!(
            (refused.status(), &refused.headers()[RETRY_AFTER]),
            (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
        );
        drop(others);
        for _ in 0..3 * AT_ONCE {
            assert_eq!(ask(&control, &room).await.status(), StatusCode::OK, "each gives its room back");
        }
        assert_eq!(room.0.available_permits(), AT_ONCE);
    }

    #[test]
    fn what_a_client_leaves_behind_keeps_its_room_until_it_is_done() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let control = Arc::new(Control::new(Gateway::builder().build().unwrap()));
            let room = Room::default();
            let (release, wait) = mpsc::channel::<()>();
            let before = spawn_blocking(move || wait.recv());
            let mut asked = Box::pin(ask(&control, &room));
            poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_pending())).await;
            drop(asked);
            assert_eq!(room.0.available_permits(), AT_ONCE - 1);
            drop(release);
            before.await.unwrap().unwrap_err();
            drop(room.0.acquire_many(AT_ONCE as u32).await.unwrap());
        });
    }
}
