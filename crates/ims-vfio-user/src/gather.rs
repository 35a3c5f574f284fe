// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One access to the client's memory in several messages.

use std::sync::{Arc, Mutex, PoisonError};

use ims_vfio::dma::{ReadThen, WriteThen};
use rustix::io::Errno;

/// What the answers to the pieces of one access come together in. The caller is
/// told once, by the last of them.
pub(crate) struct Gather {
    left: usize,
    data: Vec<u8>,
    failed: Option<Errno>,
    then: Option<Whole>,
}

enum Whole {
    Read(ReadThen),
    Write(WriteThen),
}

impl Gather {
    /// A read of `length` bytes in pieces of at most `size`: where each begins, how
    /// long it is, and what takes its answer.
    pub(crate) fn reads(
        length: usize,
        size: usize,
        then: ReadThen,
    ) -> impl Iterator<Item = (u64, usize, ReadThen)> {
        let size = size.max(1);
        let gather = Arc::new(Mutex::new(Self {
            left: length.div_ceil(size),
            data: vec![0; length],
            failed: None,
            then: Some(Whole::Read(then)),
        }));
        (0..length).step_by(size).map(move |begin| {
            let piece = size.min(length - begin);
            let gather = Arc::clone(&gather);
            let then: ReadThen = Box::new(move |answer| {
                Self::take(&gather, answer.map(|bytes| Some((begin, bytes))));
            });
            (u64::try_from(begin).unwrap_or(u64::MAX), piece, then)
        })
    }

    /// A write in `pieces` pieces: what takes the answer to each.
    pub(crate) fn writes(pieces: usize, then: WriteThen) -> impl Iterator<Item = WriteThen> {
        let gather = Arc::new(Mutex::new(Self {
            left: pieces,
            data: Vec::new(),
            failed: None,
            then: Some(Whole::Write(then)),
        }));
        (0..pieces).map(move |_| {
            let gather = Arc::clone(&gather);
            let then: WriteThen = Box::new(move |answer| {
                Self::take(&gather, answer.map(|()| None));
            });
            then
        })
    }

    /// Takes the answer to one piece.
    fn take(gather: &Mutex<Self>, answer: Result<Option<(usize, &[u8])>, Errno>) {
        let mut this = gather.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(None) => {}
            Ok(Some((begin, bytes))) => {
                let end = begin.saturating_add(bytes.len());
                if let Some(place) = this.data.get_mut(begin..end) {
                    place.copy_from_slice(bytes);
                }
            }
            Err(errno) => this.failed = this.failed.or(Some(errno)),
        }
        this.left = this.left.saturating_sub(1);
        if this.left > 0 {
            return;
        }
        let (failed, then) = (this.failed, this.then.take());
        let data = std::mem::take(&mut this.data);
        drop(this);
        match then {
            Some(Whole::Read(then)) => then(failed.map_or(Ok(&data[..]), Err)),
            Some(Whole::Write(then)) => then(failed.map_or(Ok(()), Err)),
            None => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn pieces_that_come_in_any_order_make_the_whole() {
        let (sender, receiver) = mpsc::channel();
        let then: ReadThen = Box::new(move |answer| {
            sender.send(answer.map(<[u8]>::to_vec)).unwrap();
        });
        let mut pieces: Vec<_> = Gather::reads(10, 4, then).collect();
        let places: Vec<_> = pieces.iter().map(|piece| (piece.0, piece.1)).collect();
        assert_eq!(places, [(0, 4), (4, 4), (8, 2)]);
        pieces.reverse();
        for (begin, length, then) in pieces {
            assert!(receiver.try_recv().is_err());
            let bytes: Vec<u8> = (begin as u8..).take(length).collect();
            then(Ok(&bytes));
        }
        let whole: Vec<u8> = (0..10).collect();
        assert_eq!(receiver.recv().unwrap(), Ok(whole));
    }

    #[test]
    fn one_piece_that_fails_fails_the_whole_once() {
        let (sender, receiver) = mpsc::channel();
        let then: WriteThen = Box::new(move |answer| sender.send(answer).unwrap());
        let answers = [Ok(()), Err(Errno::FAULT), Err(Errno::IO)];
        for (then, answer) in Gather::writes(3, then).zip(answers) {
            then(answer);
        }
        assert_eq!(receiver.recv().unwrap(), Err(Errno::FAULT));
        assert!(receiver.recv().is_err());
    }
}
