// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One queue of a block device.

use core::iter::once;

use ims_virtio::layout::block::{SECTOR, request as kind, status};

use super::{Completion, Request, RequestError, Segment, SubmitError};
use crate::device::{Device, DeviceError};
use crate::queue::{self, Buffer, QueueError, Rings, SplitQueue};
use crate::registers::Registers;
use crate::shared::Shared;
use crate::transport::{Doorbell, Transport};

/// Bytes of a request's own memory: header, then status.
const REQUEST: usize = 32;
/// Bytes of a header.
const HEADER: u32 = 16;
/// Where the status is in them: behind the header.
const STATUS: usize = kind::BYTES;
/// Status before the device wrote one.
const NONE: u8 = 0xff;

const _: () = assert!(HEADER as usize == kind::BYTES);

/// Bytes of shared memory for a queue of `size` whose chains have at most `table`
/// indirect descriptors; they begin at a multiple of 16.
pub const fn bytes(size: u16, table: u16) -> usize {
    queue::bytes(size, table) + size as usize * REQUEST
}

/// A queue of at most `N` descriptors: a request has two, and one a segment.
///
/// # Concurrency
/// One CPU at a time; each queue is on its own.
#[derive(Debug)]
pub struct BlockQueue<S, R, const N: usize> {
    queue: SplitQueue<S, N>,
    doorbell: Doorbell<R>,
    /// Where requests begin.
    requests: usize,
    /// How many bytes the device has to write, of each token.
    expected: [u32; N],
}

impl<S: Shared, R: Registers + Clone, const N: usize> BlockQueue<S, R, N> {
    /// Makes queue `index` of a device, in [`bytes`] of `shared`.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn new<T: Transport<Registers = R>>(
        device: &Device<T>,
        index: u16,
        shared: S,
        size: u16,
        table: u16,
    ) -> Result<Self, DeviceError> {
        let requests = queue::bytes(size, table);
        if shared.len() < bytes(size, table) {
            return Err(QueueError::Memory.into());
        }
        let (queue, doorbell) = device.queue(index, shared, size, table)?;
        Ok(Self {
            queue,
            doorbell,
            requests,
            expected: [0; N],
        })
    }

    /// Makes a request available. The device may begin before [`BlockQueue::kick`].
    /// The data is the device's until the completion with this token is taken.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn submit(&mut self, request: Request, data: &[Segment]) -> Result<u16, SubmitError> {
        let length = check(request, data)?;
        let (number, sector, writable) = match request {
            Request::Read { sector } => (kind::IN, sector, true),
            Request::Write { sector } => (kind::OUT, sector, false),
            Request::Flush => (kind::FLUSH, 0, false),
            Request::Id => (kind::GET_ID, 0, true),
        };
        // The request's memory is that of its first descriptor: free as long as that
        // is.
        let token = self.queue.next_token().ok_or(QueueError::Full)?;
        let place = self.place(token);
        let shared = self.queue.shared();
        let mut header = [0; kind::BYTES + 1];
        let fields = number.to_le_bytes().into_iter().chain([0; 4]);
        let fields = fields.chain(sector.to_le_bytes()).chain([NONE]);
        for (to, byte) in header.iter_mut().zip(fields) {
            *to = byte;
        }
        shared.write(place, &header).ok_or(QueueError::Memory)?;
        let at = |offset: usize| {
            let offset = u64::try_from(place + offset).unwrap_or(u64::MAX);
            shared.bus_address().wrapping_add(offset)
        };
        let (header, status) = (at(0), at(STATUS));
        let ours = |address, length, writable| Buffer {
            address,
            length,
            writable,
        };
        let data = data
            .iter()
            .map(|segment| ours(segment.address, segment.length, writable));
        let chain = once(ours(header, HEADER, false))
            .chain(data)
            .chain(once(ours(status, 1, true)));
        let added = self.queue.add(chain)?;
        if let Some(expected) = self.expected.get_mut(usize::from(added)) {
            *expected = if writable { length } else { 0 };
        }
        Ok(added)
    }

    /// Notifies the device of what was submitted, if it wants to be.
    pub fn kick(&mut self) {
        if self.queue.wants_notification() {
            self.doorbell.ring();
        }
    }

    /// A request that came back. Take until there is none: then the next one
    /// interrupts.
    ///
    /// # Errors
    /// [`QueueError::Broken`].
    pub fn complete(&mut self) -> Result<Option<Completion>, QueueError> {
        let Some(used) = self.queue.take()? else {
            return Ok(None);
        };
        let mut answer = [NONE];
        self.queue
            .shared()
            .read(self.place(used.token) + STATUS, &mut answer)
            .ok_or(QueueError::Memory)?;
        let expected = self.expected.get(usize::from(used.token)).copied();
        let data = used.written.saturating_sub(1);
        let result = match answer {
            [status::OK] if data < expected.unwrap_or(0) => Err(RequestError::Short(data)),
            [status::OK] => Ok(()),
            [status::IOERR] => Err(RequestError::Failed),
            [status::UNSUPP] => Err(RequestError::Unsupported),
            [other] => Err(RequestError::Status(other)),
        };
        Ok(Some(Completion {
            token: used.token,
            result,
        }))
    }

    /// Interrupts are wanted from now on, or not; with `true`, whether something has
    /// come back already.
    ///
    /// # Errors
    /// [`QueueError`].
    pub fn want_interrupts(&mut self, wanted: bool) -> Result<bool, QueueError> {
        self.queue.want_interrupts(wanted)
    }

    /// How many requests the device has.
    pub fn in_flight(&self) -> u16 {
        self.queue.in_flight()
    }

    /// How many descriptors are free.
    pub fn free(&self) -> u16 {
        self.queue.free()
    }

    /// Where it is.
    pub fn rings(&self) -> Rings {
        self.queue.rings()
    }

    fn place(&self, token: u16) -> usize {
        self.requests + usize::from(token) * REQUEST
    }
}

/// How many bytes of data there are, if they fit the request.
fn check(request: Request, data: &[Segment]) -> Result<u32, SubmitError> {
    let length = data.iter().try_fold(0_u32, |sum, segment| {
        (segment.length > 0).then_some(())?;
        sum.checked_add(segment.length)
    });
    let length = length.ok_or(SubmitError::Data)?;
    let fits = match request {
        Request::Read { .. } | Request::Write { .. } => length > 0 && length.is_multiple_of(SECTOR),
        Request::Flush => length == 0,
        Request::Id => usize::try_from(length) == Ok(kind::ID_BYTES),
    };
    fits.then_some(length).ok_or(SubmitError::Data)
}
