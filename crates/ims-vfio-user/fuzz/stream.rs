// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the fuzzer and the test of its corpus do with bytes: cut them into messages
//! by their headers, and read each with no, one and several descriptors.

use ims_vfio_user::layout::{HEADER, Header};
use ims_vfio_user::request::{self, Request, small_writes};
use ims_vfio_user::{Limits, version};

/// Reads all messages of a stream; says how many were sound.
pub(crate) fn decode(mut bytes: &[u8]) -> usize {
    let limits = Limits::default();
    let mut sound = 0;
    while let Some((header, rest)) = header(bytes) {
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        let Some(length) = size
            .checked_sub(HEADER)
            .filter(|_| size <= limits.message())
        else {
            return sound;
        };
        let Some((body, rest)) = rest.split_at_checked(length) else {
            return sound;
        };
        bytes = rest;
        for fds in [0, 1, 16] {
            match request::read(&header, body, fds) {
                Ok(Request::Version(offered, text)) => {
                    if let Ok(agreed) = version::agree(offered, text, &limits) {
                        assert!(agreed.minor <= 1 && agreed.data_xfer_size > 0);
                        sound += 1;
                    }
                }
                Ok(Request::WriteMulti(entries)) => {
                    assert_eq!(small_writes(entries).count() * 24, entries.len());
                    sound += 1;
                }
                Ok(_) => sound += 1,
                Err(refusal) => assert!(refusal.0.raw_os_error() > 0),
            }
        }
    }
    sound
}

fn header(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEADER)?;
    let word = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().unwrap());
    let half = |at: usize| u16::from_ne_bytes(head[at..at + 2].try_into().unwrap());
    let header = Header {
        id: half(0),
        command: half(2),
        size: word(4),
        flags: word(8),
        error: word(12),
    };
    Some((header, rest))
}
