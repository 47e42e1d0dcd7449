//! The pieces in which a body comes.

/// One piece that is known to be whole; none of an empty body.
pub(super) fn whole(body: Vec<u8>) -> Vec<Vec<u8>> {
    if body.is_empty() { Vec::new() } else { vec![body] }
}

/// Piece by piece; the end is one of its own, and empty.
pub(super) fn one_by_one(pieces: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let end = std::iter::once(Vec::new());
    pieces.filter(|piece| !piece.is_empty()).chain(end).collect()
}
