// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lines of bounded length, read and written in bounded time.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Why a line did not come, or did not go.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// Nothing more came in time, or was taken.
    #[error("too slow")]
    Late,
    /// Longer than anything there is to say.
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// The other end closed within the line.
    #[error("the connection was closed within a line")]
    Cut,
    /// Somebody wants to end.
    #[error("the server is stopping")]
    Stopped,
    /// The system refused.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// One end of a connection, with a time when it is over.
///
/// The socket does not block; waiting ends at the deadline, and as soon as `stop`
/// becomes readable.
pub(super) struct Timed<'a> {
    socket: &'a UnixStream,
    stop: Option<BorrowedFd<'a>>,
    deadline: Instant,
}

impl<'a> Timed<'a> {
    pub(super) fn new(
        socket: &'a UnixStream,
        stop: Option<BorrowedFd<'a>>,
        limit: Duration,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            stop,
            deadline: Instant::now() + limit,
        })
    }

    /// Reads one line of at most `most` bytes; what stands behind it is not looked at.
    pub(super) fn read(&self, most: usize) -> Result<Vec<u8>, LineError> {
        let mut line = Vec::new();
        let mut part = [0; 4096];
        loop {
            let got = match (&mut &*self.socket).read(&mut part) {
                Ok(0) => return Err(LineError::Cut),
                Ok(got) => part.get(..got).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::IN)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let end = got.iter().position(|byte| *byte == b'\n');
            let taken = got.get(..end.unwrap_or(got.len())).unwrap_or_default();
            if line.len() + taken.len() > most {
                return Err(LineError::TooLong(most));
            }
            line.extend_from_slice(taken);
            if end.is_some() {
                return Ok(line);
            }
        }
    }

    /// Writes `line` and what ends it.
    pub(super) fn write(&self, mut line: Vec<u8>) -> Result<(), LineError> {
        line.push(b'\n');
        let mut left = line.as_slice();
        while !left.is_empty() {
            match (&mut &*self.socket).write(left) {
                Ok(taken) => left = left.get(taken..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::OUT)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn wait(&self, what: PollFlags) -> Result<(), LineError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let limit = Timespec::try_from(left).map_err(|_| LineError::Late)?;
        let stop = self.stop.unwrap_or_else(|| self.socket.as_fd());
        let watched = if self.stop.is_some() {
            PollFlags::IN
        } else {
            PollFlags::empty()
        };
        let mut fds = [
            PollFd::from_borrowed_fd(self.socket.as_fd(), what),
            PollFd::from_borrowed_fd(stop, watched),
        ];
        match poll(&mut fds, Some(&limit)) {
            Ok(0) => Err(LineError::Late),
            Err(rustix::io::Errno::INTR) => Ok(()),
            Err(errno) => Err(LineError::System(errno.into())),
            Ok(_) => {
                let [_, stop] = fds;
                if self.stop.is_some() && stop.revents().contains(PollFlags::IN) {
                    return Err(LineError::Stopped);
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(30);
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn a_line_comes_whole_from_pieces() {
        let (one, mut other) = UnixStream::pair().unwrap();
        let writer = std::thread::spawn(move || {
            for piece in ["{\"a\"", ":1", "}\nmore"] {
                other.write_all(piece.as_bytes()).unwrap();
            }
            other
        });
        let line = Timed::new(&one, None, LONG).unwrap().read(64).unwrap();
        assert_eq!(line, b"{\"a\":1}");
        drop(writer.join().unwrap());
    }

    #[test]
    fn a_line_of_the_limit_is_read_and_one_byte_more_is_not() {
        for (bytes, fits) in [(5000, true), (5001, false)] {
            let (one, other) = UnixStream::pair().unwrap();
            Timed::new(&other, None, LONG)
                .unwrap()
                .write(vec![b'x'; bytes])
                .unwrap();
            let read = Timed::new(&one, None, LONG).unwrap().read(5000);
            assert_eq!(read.is_ok(), fits);
        }
    }

    #[test]
    fn who_says_nothing_and_who_goes_are_told_apart() {
        let (one, mut other) = UnixStream::pair().unwrap();
        other.write_all(b"half").unwrap();
        let timed = Timed::new(&one, None, SHORT).unwrap();
        assert!(matches!(timed.read(64), Err(LineError::Late)));
        drop(other);
        let timed = Timed::new(&one, None, LONG).unwrap();
        assert!(matches!(timed.read(64), Err(LineError::Cut)));
    }

    #[test]
    fn who_does_not_read_is_given_up() {
        let (one, _other) = UnixStream::pair().unwrap();
        let timed = Timed::new(&one, None, SHORT).unwrap();
        let much = vec![b'x'; 8 << 20];
        assert!(matches!(timed.write(much), Err(LineError::Late)));
    }

    #[test]
    fn waiting_ends_when_the_server_stops() {
        let (one, _other) = UnixStream::pair().unwrap();
        let (stop, stopper) = UnixStream::pair().unwrap();
        (&stopper).write_all(b"x").unwrap();
        let timed = Timed::new(&one, Some(stop.as_fd()), LONG).unwrap();
        assert!(matches!(timed.read(64), Err(LineError::Stopped)));
    }
}
