use std::{pin::pin, sync::Arc, task::Poll};

use bytes::Bytes;
use compression_codecs::{
    BrotliDecoder, DecodeV2, GzipDecoder, ZlibDecoder, ZstdDecoder,
    core::util::{PartialBuffer, WriteBuffer},
};
use futures_util::{StreamExt, stream};
use http::HeaderMap;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use proptest::prelude::*;

use super::{Body, BoxError, CHUNK, Coding, Compressed, Places};

const ALL: [Coding; 4] = [Coding::Brotli, Coding::Deflate, Coding::Gzip, Coding::Zstd];

fn decoder(coding: Coding) -> Box<dyn DecodeV2> {
    match coding {
        Coding::Brotli => Box::new(BrotliDecoder::new()),
        Coding::Deflate => Box::new(ZlibDecoder::new()),
        Coding::Gzip => Box::new(GzipDecoder::new()),
        Coding::Zstd => Box::new(ZstdDecoder::new()),
    }
}

/// As much as can be decoded of a beginning.
fn decoded(decoder: &mut dyn DecodeV2, bytes: &[u8]) -> Vec<u8> {
    let (mut input, mut all) = (PartialBuffer::new(bytes), Vec::new());
    loop {
        let mut room = vec![0; 1 << 16];
        let mut output = WriteBuffer::new_initialized(&mut room);
        let ended = decoder.decode(&mut input, &mut output).unwrap();
        let written = output.written_len();
        all.extend_from_slice(&room[..written]);
        if ended || (written < room.len() && input.unwritten().is_empty()) {
            return all;
        }
    }
}

fn compressed(frames: Vec<Result<Frame<Bytes>, BoxError>>, coding: Coding) -> Compressed {
    let body = Body::new(StreamBody::new(stream::iter(frames)));
    Compressed::new(body, coding, 4, &Arc::new(Places::new(1))).ok().unwrap()
}

/// The bytes of a body, and whether it ended with trailers.
async fn read(mut body: Compressed) -> Result<(Vec<u8>, bool), BoxError> {
    let (mut all, mut trailers) = (Vec::new(), false);
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => {
                assert!(!data.is_empty() && data.len() <= CHUNK);
                all.extend_from_slice(&data);
            }
            Err(_) => trailers = true,
        }
    }
    assert!(body.is_end_stream());
    Ok((all, trailers))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_body_comes_back_the_same(parts in prop::collection::vec((any::<u8>(), 0..40_000_usize, any::<bool>()), 0..6)) {
        // Runs of one byte compress well, noise does not.
        let part = |(byte, length, noise): &(u8, usize, bool)| -> Vec<u8> {
            let mut random = fastrand::Rng::with_seed(u64::from(*byte));
            (0..*length).map(|_| if *noise { random.u8(..) } else { *byte }).collect()
        };
        let parts: Vec<_> = parts.iter().map(part).collect();
        for coding in ALL {
            let frames = parts.iter().map(|part| Ok(Frame::data(Bytes::from(part.clone())))).collect();
            let (bytes, _) = runtime().block_on(read(compressed(frames, coding))).unwrap();
            prop_assert_eq!(decoded(&mut *decoder(coding), &bytes), parts.concat());
        }
    }
}

#[tokio::test]
async fn what_has_come_is_given_on_where_the_source_pauses() {
    for coding in ALL {
        let (mut sender, receiver) = futures_channel();
        let body = Body::new(StreamBody::new(receiver.map(|data| Ok::<_, BoxError>(Frame::data(data)))));
        let mut body = pin!(Compressed::new(body, coding, 4, &Arc::new(Places::new(1))).ok().unwrap());
        let mut decoder = decoder(coding);
        for event in ["data: one\n\n", "data: two\n\n"] {
            sender(Some(Bytes::from(event)));
            let mut seen = Vec::new();
            while let Poll::Ready(Some(frame)) = futures_util::poll!(body.frame()) {
                seen.extend(decoded(&mut *decoder, &frame.unwrap().into_data().unwrap()));
            }
            assert_eq!(String::from_utf8_lossy(&seen), event, "{coding:?}");
        }
        sender(None);
        assert!(body.frame().await.is_some(), "the end of the coding");
    }
}

/// A way to send, and the stream that it feeds.
fn futures_channel() -> (impl FnMut(Option<Bytes>), impl futures_util::Stream<Item = Bytes> + Send + 'static)
{
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut sender = Some(sender);
    let send = move |data: Option<Bytes>| match data {
        Some(data) => sender.as_ref().unwrap().send(data).unwrap(),
        None => drop(sender.take()),
    };
    let stream =
        stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|data| (data, receiver)) });
    (send, Box::pin(stream))
}

#[tokio::test]
async fn trailers_come_after_the_end_and_errors_stay_errors() {
    for coding in ALL {
        let data = || Ok(Frame::data(Bytes::from("abc")));
        let (bytes, trailers) =
            read(compressed(vec![data(), Ok(Frame::trailers(HeaderMap::new()))], coding)).await.unwrap();
        assert!(trailers);
        assert_eq!(decoded(&mut *decoder(coding), &bytes), b"abc");
        assert!(read(compressed(vec![data(), Err("cut".into())], coding)).await.is_err());
    }
}

#[test]
fn places_are_bounded_and_given_back() {
    let places = Arc::new(Places::new(2));
    let take = || Compressed::new(Body::from("x"), Coding::Gzip, 4, &places);
    let held = [take().ok().unwrap(), take().ok().unwrap()];
    assert_eq!(take().err().unwrap().as_bytes().unwrap(), "x");
    drop(held);
    assert!(take().is_ok());
}
