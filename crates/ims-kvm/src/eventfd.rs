// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An eventfd read without waiting, whatever others did to its flags.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ReadWriteFlags, preadv2, read, retry_on_intr};
use vmm_sys_util::eventfd::EventFd;

/// "Where the file stands", for calls that take an offset.
const HERE: u64 = u64::MAX;

/// The descriptor of an eventfd.
pub(crate) fn descriptor(eventfd: &EventFd) -> BorrowedFd<'_> {
    // SAFETY: `eventfd` owns this descriptor and closes it when it is dropped, which
    // the borrow outlives not: its lifetime is that of the reference.
    unsafe { BorrowedFd::borrow_raw(eventfd.as_raw_fd()) }
}

/// Takes what was written: the eventfd's count, which is 0 from then on (one less, if
/// it was made a semaphore); 0 if nothing was written.
///
/// An eventfd is one file for all who have it, and so are its flags: another process
/// may clear `O_NONBLOCK`, or may have made it without. So this read asks for itself
/// not to wait (`RWF_NOWAIT`, eventfds since Linux 5.8).
pub(crate) fn take(eventfd: &EventFd) -> u64 {
    let fd = descriptor(eventfd);
    let mut count = [0; 8];
    let taken = retry_on_intr(|| {
        preadv2(
            fd,
            &mut [IoSliceMut::new(&mut count)],
            HERE,
            ReadWriteFlags::NOWAIT,
        )
    });
    let taken = match taken {
        // A kernel that cannot: a look, then a read. Nobody else is to read it, so
        // what the look saw is still there.
        Err(Errno::OPNOTSUPP) => match is_written(fd) {
            true => retry_on_intr(|| read(fd, &mut count)),
            false => Err(Errno::AGAIN),
        },
        taken => taken,
    };
    match taken {
        Ok(8) => u64::from_ne_bytes(count),
        _ => 0,
    }
}

/// Whether there is something to read.
fn is_written(fd: BorrowedFd<'_>) -> bool {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut look = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    matches!(retry_on_intr(|| poll(&mut look, Some(&now))), Ok(1))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use vmm_sys_util::eventfd::EFD_NONBLOCK;

    #[test]
    fn an_empty_eventfd_that_blocks_is_read_without_waiting() {
        let eventfd = EventFd::new(0).unwrap();
        assert_eq!(take(&eventfd), 0);
        eventfd.write(3).unwrap();
        eventfd.write(4).unwrap();
        assert!(is_written(descriptor(&eventfd)));
        assert_eq!(take(&eventfd), 7);
        assert!(!is_written(descriptor(&eventfd)));
        assert_eq!(take(&eventfd), 0);
    }

    #[test]
    fn one_that_does_not_block_is_read_as_well() {
        let eventfd = EventFd::new(EFD_NONBLOCK).unwrap();
        assert_eq!(take(&eventfd), 0);
        eventfd.write(1).unwrap();
        assert_eq!(take(&eventfd), 1);
    }
}
