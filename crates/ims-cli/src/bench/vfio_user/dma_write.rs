// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupt messages to the client, as writes to its memory. A device thread sends
//! them, a client answers; all on one CPU. Beside: the same messages and answers
//! between two threads, without a server.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, Figure, Watch, in_turns, repeat};
use super::device::Register;
use super::servers::ours;
use ims::message::Message;
use ims_vfio::Device;
use ims_vfio::dma::{Dma, Session};
use ims_vfio_user::layout::{DmaAccess, HEADER, Header, command, flag};
use rustix::io::{Errno, read, write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use zerocopy::{FromBytes, IntoBytes};

/// What rows call the floor.
const FLOOR: &str = "the same messages, no server";

/// An interrupt message in the remappable format, handle 1 (VT-d 5.1.2.2).
const MESSAGE: Message = Message {
    address: 0xfee0_0030,
    data: 0,
};

/// Its command, and the answer.
const SENT: usize = HEADER + size_of::<DmaAccess>() + size_of::<u32>();
const ANSWER: usize = HEADER + size_of::<DmaAccess>();

/// Messages under way, where there are several.
const WINDOW: u32 = 64;

/// Messages between two looks at the watch; those without an answer are followed by
/// one with, and few enough that the socket takes them.
const AT_ONCE: u32 = 128;

/// With an answer each, with several under way, and without answers.
///
/// # Errors
/// What a client reports.
pub(super) fn rows(effort: Effort) -> Outcome<Vec<Row>> {
    let device = Arc::new(Register::new()?);
    let mut served = ours(Arc::clone(&device))?;
    served.client.let_in()?;
    let socket = served.client.into_socket();
    // Between measurements there is nothing to read.
    socket.set_read_timeout(None)?;
    let ending = socket.try_clone()?;
    let answerer = std::thread::spawn(move || answer(&socket));
    let mut device = Sending::new(&device.function().dma)?;
    let mut bare = Bare::new()?;

    let mut rows = Vec::new();
    for (name, window) in [
        ("interrupt by message, one under way", 1),
        ("interrupt by message, 64 under way", WINDOW),
    ] {
        let [sent, floor] = in_turns(
            effort,
            [
                &mut |batch| repeat(batch, |watch| device.answered(watch, window)),
                &mut |batch| repeat(batch, |watch| bare.answered(watch, window)),
            ],
        )?;
        rows.push(row(name, sent, floor));
    }
    let [sent, floor] = in_turns(
        effort,
        [
            &mut |batch: Duration| repeat(batch, |watch| device.posted(watch)),
            &mut |batch: Duration| repeat(batch, |watch| bare.posted(watch)),
        ],
    )?;
    rows.push(row("interrupt by message, no answers", sent, floor));
    ending.shutdown(std::net::Shutdown::Both)?;
    answerer
        .join()
        .map_err(|_| "the client ended early")?
        .map_err(|errno| format!("the client failed: {errno}"))?;
    Ok(rows)
}

fn row(name: &str, sent: Figure, floor: Figure) -> Row {
    let thousands = 1e6 / sent.median;
    Row::figure(name, sent)
        .beside(Some((FLOOR, floor)))
        .note(format!("{thousands:.0} k/s"))
}

/// A device that sends.
struct Sending {
    session: Session,
    answers: Receiver<bool>,
    answered: Sender<bool>,
}

impl Sending {
    fn new(dma: &Dma) -> Outcome<Self> {
        let (answered, answers) = channel();
        Ok(Self {
            session: dma.session()?,
            answers,
            answered,
        })
    }

    fn send(&mut self) -> Outcome<()> {
        let answered = self.answered.clone();
        self.session.interrupt(MESSAGE, move |answer| {
            // Nobody listens any more if the benchmark has failed.
            let _ = answered.send(answer.is_ok());
        });
        Ok(())
    }

    /// Waits for an answer, and takes all there are.
    fn take(&mut self) -> Outcome<u32> {
        let mut taken = 0;
        let mut answer = Some(self.answers.recv()?);
        while let Some(good) = answer {
            if !good {
                return Err("the client refused an interrupt".into());
            }
            taken += 1;
            answer = self.answers.try_recv().ok();
        }
        Ok(taken)
    }

    fn answered(&mut self, watch: &mut Watch, window: u32) -> Outcome<()> {
        watch.time(AT_ONCE.into(), || {
            windowed(self, window, Self::send, Self::take)
        })
    }

    fn posted(&mut self, watch: &mut Watch) -> Outcome<()> {
        watch.time(AT_ONCE.into(), || {
            for _ in 1..AT_ONCE {
                self.session.post_interrupt(MESSAGE)?;
            }
            self.send()?;
            self.take().map(drop)
        })
    }
}

/// The same from a thread that has a socket only.
struct Bare {
    socket: UnixStream,
    message: [Vec<u8>; 2],
}

impl Bare {
    fn new() -> Outcome<Self> {
        let (socket, peer) = UnixStream::pair()?;
        std::thread::spawn(move || answer(&peer));
        Ok(Self {
            socket,
            message: [message(0)?, message(flag::NO_REPLY)?],
        })
    }

    fn send(&mut self) -> Outcome<()> {
        let [answered, _] = &self.message;
        write(&self.socket, answered)?;
        Ok(())
    }

    fn take(&mut self) -> Outcome<u32> {
        let mut answers = [0; ANSWER * WINDOW as usize];
        let read = read(&self.socket, &mut answers)?;
        if read == 0 || read % ANSWER != 0 {
            return Err("an answer was cut short".into());
        }
        Ok(u32::try_from(read / ANSWER)?)
    }

    fn answered(&mut self, watch: &mut Watch, window: u32) -> Outcome<()> {
        watch.time(AT_ONCE.into(), || {
            windowed(self, window, Self::send, Self::take)
        })
    }

    fn posted(&mut self, watch: &mut Watch) -> Outcome<()> {
        watch.time(AT_ONCE.into(), || {
            let [_, posted] = &self.message;
            for _ in 1..AT_ONCE {
                write(&self.socket, posted)?;
            }
            self.send()?;
            self.take().map(drop)
        })
    }
}

/// The bytes of a message as the server sends it.
fn message(flags: u32) -> Outcome<Vec<u8>> {
    let header = Header {
        id: 1,
        command: command::DMA_WRITE,
        size: u32::try_from(SENT)?,
        flags,
        error: 0,
    };
    let access = DmaAccess {
        address: MESSAGE.address,
        count: u64::try_from(size_of::<u32>())?,
    };
    let data = MESSAGE.data.to_le_bytes();
    Ok([header.as_bytes(), access.as_bytes(), &data].concat())
}

/// Sends as many as are timed at once, never more than `window` of them unanswered.
fn windowed<S>(
    sender: &mut S,
    window: u32,
    send: impl Fn(&mut S) -> Outcome<()>,
    take: impl Fn(&mut S) -> Outcome<u32>,
) -> Outcome<()> {
    let (mut sent, mut answered) = (0, 0);
    while answered < AT_ONCE {
        while sent < AT_ONCE && sent - answered < window {
            send(sender)?;
            sent += 1;
        }
        answered += take(sender)?;
    }
    Ok(())
}

/// A client that answers whatever wants an answer, until nobody is there. It reads as
/// much as there is: who sends is measured.
fn answer(socket: &UnixStream) -> Result<(), Errno> {
    let mut bytes = vec![0; SENT << 10];
    let mut answers = Vec::new();
    let mut length = 0;
    loop {
        let room = bytes.get_mut(length..).unwrap_or_default();
        match read(socket, room) {
            Ok(0) | Err(Errno::CONNRESET) => return Ok(()),
            read => length += read?,
        }
        let mut messages = bytes.get(..length).unwrap_or_default().chunks_exact(SENT);
        answers.clear();
        for message in messages.by_ref() {
            let (header, body) = Header::read_from_prefix(message).map_err(|_| Errno::BADMSG)?;
            if header.command != command::DMA_WRITE {
                return Err(Errno::BADMSG);
            }
            if !header.wants_no_reply() {
                let reply = header.reply(size_of::<DmaAccess>());
                answers.extend_from_slice(reply.as_bytes());
                answers.extend_from_slice(body.get(..size_of::<DmaAccess>()).unwrap_or_default());
            }
        }
        let rest = messages.remainder().len();
        bytes.copy_within(length - rest..length, 0);
        length = rest;
        if !answers.is_empty() {
            write(socket, &answers)?;
        }
    }
}
