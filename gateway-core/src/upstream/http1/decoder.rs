//! The body of a response, read.

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{
    Framing, Malformed,
    chunked::{Chunked, Piece},
};

/// Where in its body a response is.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// So many bytes are still to come; none once it is over.
    Length(u64),
    Chunked(Box<Chunked>),
    /// The rest of the connection.
    Close,
}

impl Decoder {
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Length(0),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Box::default()),
            Framing::Close => Self::Close,
        }
    }

    /// Whether the whole body has been taken.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_done(),
            Self::Close => false,
        }
    }

    /// Takes the next frame off the front of `bytes`; `None` where there is no more of it in them.
    ///
    /// # Errors
    /// If they are no such body.
    pub(crate) fn decode(&mut self, bytes: &mut Bytes) -> Result<Option<Frame<Bytes>>, Malformed> {
        match self {
            Self::Length(0) => Ok(None),
            _ if bytes.is_empty() => Ok(None),
            Self::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= length as u64;
                Ok(Some(Frame::data(bytes.split_to(length))))
            }
            Self::Chunked(chunked) => Ok(chunked.decode(bytes)?.map(|piece| match piece {
                Piece::Data(data) => Frame::data(data),
                Piece::Trailers(trailers) => Frame::trailers(trailers),
            })),
            Self::Close => Ok(Some(Frame::data(std::mem::take(bytes)))),
        }
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// If the body has not.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        match self {
            Self::Close => *self = Self::Length(0),
            _ if self.is_done() => {}
            _ => return Err(Malformed::Truncated),
        }
        Ok(())
    }

    /// What is still to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Length(left) => SizeHint::with_exact(*left),
            _ if self.is_done() => SizeHint::with_exact(0),
            Self::Chunked(_) | Self::Close => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Decoder, Framing, Malformed};

    #[test]
    fn a_length_takes_its_bytes_and_no_more() {
        let mut decoder = Decoder::new(Framing::Length(5));
        let mut bytes = Bytes::from_static(b"hel");
        assert_eq!(decoder.decode(&mut bytes).unwrap().unwrap().into_data().unwrap(), "hel");
        assert_eq!((decoder.size_hint().exact(), decoder.is_done()), (Some(2), false));
        assert_eq!(decoder.end(), Err(Malformed::Truncated));
        let mut bytes = Bytes::from_static(b"lo, and more");
        assert_eq!(decoder.decode(&mut bytes).unwrap().unwrap().into_data().unwrap(), "lo");
        assert!(decoder.decode(&mut bytes).unwrap().is_none() && decoder.is_done() && decoder.end().is_ok());
        assert_eq!(bytes, ", and more");
    }

    #[test]
    fn the_end_of_the_connection_is_an_end_only_where_it_was_announced() {
        let mut decoder = Decoder::new(Framing::Close);
        assert!(decoder.decode(&mut Bytes::from_static(b"x")).unwrap().is_some());
        assert!(!decoder.is_done() && decoder.end().is_ok() && decoder.is_done());
        let mut decoder = Decoder::new(Framing::Chunked);
        assert!(decoder.decode(&mut Bytes::from_static(b"1\r\nx\r\n0\r\n")).unwrap().is_some());
        assert_eq!(decoder.end(), Err(Malformed::Truncated));
    }
}
