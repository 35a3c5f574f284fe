// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory that only the client has.

use std::ops::Range;

use rustix::io::Errno;

/// What is called with the answer to a read by message.
pub type ReadThen = Box<dyn FnOnce(Result<&[u8], Errno>) + Send>;
/// What is called with the answer to a write by message.
pub type WriteThen = Box<dyn FnOnce(Result<(), Errno>) + Send>;

/// Memory only the client has, reached by messages to it. It splits what is too
/// long for one message, and bounds how long it waits for an answer.
///
/// `then` is called exactly once, by the thread that receives answers (or at once
/// with an error); it must not block.
///
/// # Concurrency
/// Any method on any thread. Messages of one thread go out in the order of its
/// calls. [`abandon`](Self::abandon) and the others are ordered among each other,
/// as under one lock: what was begun before is failed, what is begun after it is
/// sent, or fails if the client is gone. `then` is called outside that lock.
pub trait Remote: Send + Sync {
    /// Asks for `length` bytes at `address`.
    fn read(&self, address: u64, length: usize, then: ReadThen);
    /// Has `data` written at `address`.
    fn write(&self, address: u64, data: &[u8], then: WriteThen);
    /// Has `data` written at `address`, without an answer.
    ///
    /// # Errors
    /// If it cannot be sent.
    fn post(&self, address: u64, data: &[u8]) -> Result<(), Errno>;
    /// Fails what has not been answered: what meets `range`, or everything. Writes
    /// may be left alone if the client can take them after the answer that is about
    /// to be given; they are answered, then.
    fn abandon(&self, range: Option<Range<u64>>);
    /// Whether this thread may wait for an answer: not the one that receives them.
    fn may_wait(&self) -> bool;
}
