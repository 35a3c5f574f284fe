// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reading what commands latch: each field once, whole; the copy is checked, and used.

use core::ops::Range;

use ims::message::Message;
use ims::sync::Ordering;
use vm_memory::{Bytes, GuestAddress, GuestMemory};

use super::area::{Area, Failure, field};
use crate::layout::vis::{CONFIG_INDEX, Error, header, message};

/// The messages of these vectors, which are the area's.
pub(crate) fn messages<S: GuestMemory>(
    session: &S,
    area: &Area,
    vectors: Range<u32>,
) -> Result<Vec<Message>, Failure> {
    let one = |vector| {
        read_message(session, area.message(vector)).map_err(|error| Failure {
            error,
            index: vector,
        })
    };
    vectors.map(one).collect()
}

fn read_message<S: GuestMemory>(session: &S, at: u64) -> Result<Message, Error> {
    let at = |offset: u64| at.saturating_add(offset);
    let address = session
        // weaken: memory is not modelled
        .load::<u64>(GuestAddress(at(message::ADDRESS)), Ordering::Acquire)
        .map(u64::from_le)
        .map_err(|_| Error::Area)?;
    let data = field(session, at(message::DATA))?;
    let reserved = field(session, at(message::RESERVED))?;
    check(Message { address, data }, reserved)
}

/// A message that can be one, or the zero message.
pub(crate) fn check(message: Message, reserved: u32) -> Result<Message, Error> {
    if reserved != 0 || !message.address.is_multiple_of(4) {
        return Err(Error::Message);
    }
    Ok(message)
}

/// The vectors of these queues, which are the area's.
pub(crate) fn map<S: GuestMemory>(
    session: &S,
    area: &Area,
    queues: Range<u32>,
) -> Result<Vec<u32>, Failure> {
    let one = |queue| vector(session, area, area.map(queue), queue);
    queues.map(one).collect()
}

/// The vector of changes of configuration.
pub(crate) fn config<S: GuestMemory>(session: &S, area: &Area) -> Result<u32, Failure> {
    vector(session, area, area.at(header::CONFIG_VECTOR), CONFIG_INDEX)
}

fn vector<S: GuestMemory>(session: &S, area: &Area, at: u64, index: u32) -> Result<u32, Failure> {
    let vector = field(session, at).map_err(|error| Failure { error, index })?;
    if !area.has(vector) {
        let error = Error::Index;
        return Err(Failure { error, index });
    }
    Ok(vector)
}
