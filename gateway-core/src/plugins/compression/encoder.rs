//! A body, compressed as it streams.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicUsize,
            Ordering::{AcqRel, Acquire},
        },
    },
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use compression_codecs::{
    BrotliEncoder, EncodeV2, GzipEncoder, ZlibEncoder, ZstdEncoder,
    brotli::params::EncoderParams,
    core::{
        Level,
        util::{PartialBuffer, WriteBuffer},
    },
    zstd::params::CParameter,
};
use http_body::{Body as HttpBody, Frame};

use super::negotiation::Coding;
use crate::{Body, BoxError};

/// Most bytes of one frame.
const CHUNK: usize = 16 * 1024;

/// Windows of 256 KiB, as a power of two: larger ones save little on answers of the usual size, and cost memory for
/// each answer under way.
const WINDOW: u8 = 18;

/// How many answers are compressed at a time. Each takes up to about a megabyte.
#[derive(Debug)]
pub(super) struct Places(AtomicUsize);

impl Places {
    pub(super) const fn new(count: usize) -> Self {
        Self(AtomicUsize::new(count))
    }

    /// A place, as long as there is one.
    fn take(self: &Arc<Self>) -> Option<Place> {
        let taken = self.0.fetch_update(AcqRel, Acquire, |free| free.checked_sub(1));
        taken.ok().map(|_| Place(Arc::clone(self)))
    }
}

struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, AcqRel);
    }
}

fn encoder(coding: Coding, level: i32) -> Box<dyn EncodeV2 + Send> {
    match coding {
        Coding::Brotli => {
            let params =
                EncoderParams::default().quality(Level::Precise(level)).window_size(i32::from(WINDOW));
            Box::new(BrotliEncoder::new(params))
        }
        Coding::Deflate => Box::new(ZlibEncoder::new(Level::Precise(level).into())),
        Coding::Gzip => Box::new(GzipEncoder::new(Level::Precise(level).into())),
        Coding::Zstd => {
            let window = CParameter::window_log(u32::from(WINDOW));
            Box::new(ZstdEncoder::new_with_params(level, &[window]))
        }
    }
}

/// A body that is compressed as it passes. Where its source pauses, what has come so far is flushed, so that a
/// client sees each event of a stream at once.
pub(super) struct Compressed {
    body: Body,
    encoder: Box<dyn EncodeV2 + Send>,
    /// What has come and is not encoded yet.
    input: Bytes,
    /// What is encoded and not given on yet: the first `filled` bytes; empty where there is none.
    chunk: BytesMut,
    filled: usize,
    step: Step,
    trailers: Option<Frame<Bytes>>,
    _place: Place,
}

/// Where a [`Compressed`] body stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// All that has been encoded has been given on.
    Clean,
    /// The encoder may hold something back.
    Dirty,
    /// The source has ended.
    Finishing,
    Done,
}

impl Compressed {
    /// `body` in this coding; itself where there is no place.
    pub(super) fn new(body: Body, coding: Coding, level: i32, places: &Arc<Places>) -> Result<Self, Body> {
        let Some(place) = places.take() else { return Err(body) };
        let encoder = encoder(coding, level);
        let (input, chunk) = (Bytes::new(), BytesMut::new());
        Ok(Self { body, encoder, input, chunk, filled: 0, step: Step::Clean, trailers: None, _place: place })
    }

    /// Runs the encoder into what is free of the chunk.
    fn run<T>(
        &mut self,
        run: impl FnOnce(&mut dyn EncodeV2, &mut PartialBuffer<&[u8]>, &mut WriteBuffer<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.chunk.is_empty() {
            self.chunk = BytesMut::zeroed(CHUNK);
        }
        let free = self.chunk.get_mut(self.filled..).unwrap_or_default();
        let (mut input, mut output) = (PartialBuffer::new(&*self.input), WriteBuffer::new_initialized(free));
        let said = run(&mut *self.encoder, &mut input, &mut output)?;
        let (used, written) = (input.written_len(), output.written_len());
        self.input.advance(used);
        self.filled += written;
        Ok(said)
    }

    fn encode(&mut self) -> io::Result<()> {
        self.step = Step::Dirty;
        self.run(|encoder, input, output| encoder.encode(input, output))
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.run(|encoder, _, output| encoder.flush(output))? {
            self.step = Step::Clean;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.run(|encoder, _, output| encoder.finish(output))? {
            self.step = Step::Done;
        }
        Ok(())
    }

    /// What is encoded, if anything is.
    fn take(&mut self) -> Option<Frame<Bytes>> {
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.truncate(std::mem::take(&mut self.filled));
        (!chunk.is_empty()).then(|| Frame::data(chunk.freeze()))
    }

    /// What comes next of the source; ready where it makes a step possible.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => self.step = Step::Finishing,
            Poll::Ready(Some(frame)) => match frame?.into_data() {
                Ok(data) => self.input = data,
                Err(trailers) => {
                    self.trailers = Some(trailers);
                    self.step = Step::Finishing;
                }
            },
        }
        Poll::Ready(Ok(()))
    }
}

impl HttpBody for Compressed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        while self.filled < CHUNK {
            match self.step {
                _ if !self.input.is_empty() => self.encode()?,
                Step::Clean | Step::Dirty => match self.poll_source(cx)? {
                    Poll::Ready(()) => {}
                    Poll::Pending if self.step == Step::Dirty => self.flush()?,
                    Poll::Pending if self.filled == 0 => return Poll::Pending,
                    Poll::Pending => break,
                },
                Step::Finishing => self.finish()?,
                Step::Done if self.filled == 0 => return Poll::Ready(self.trailers.take().map(Ok)),
                Step::Done => break,
            }
        }
        Poll::Ready(self.take().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.step == Step::Done && self.filled == 0 && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests;
