// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The floor: a server that frames messages, with two reads each, and has no
//! device. What it costs beyond that is the sockets'.

use ims_vfio_user::layout::{HEADER, Header, RegionAccess, command};
use rustix::io::{Errno, read, write};
use rustix::net::{RecvAncillaryBuffer, RecvFlags, recvmsg};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use zerocopy::{FromBytes, IntoBytes};

/// More than any message of the benchmark.
const LONGEST: usize = 1 << 10;

/// Serves until the client goes.
///
/// # Errors
/// What the socket says.
pub(super) fn serve(socket: &UnixStream) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut message = [0; LONGEST];
    let mut reply = Vec::with_capacity(LONGEST);
    loop {
        let mut begin = [0; HEADER];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut room = [IoSliceMut::new(&mut begin)];
        // A message is sent whole, so its header comes whole.
        let flags = RecvFlags::CMSG_CLOEXEC;
        if recvmsg(socket, &mut room, &mut control, flags)?.bytes == 0 {
            return Ok(());
        }
        // Closes what came.
        drop(control);
        let header = Header::read_from_bytes(&begin).map_err(|_| Errno::BADMSG)?;
        let size = usize::try_from(header.size).map_err(|_| Errno::BADMSG)?;
        let length = size.checked_sub(HEADER).ok_or(Errno::BADMSG)?;
        let body = message.get_mut(..length).ok_or(Errno::MSGSIZE)?;
        if length > 0 && read(socket, &mut *body)? != length {
            return Err(Errno::BADMSG);
        }
        if header.wants_no_reply() {
            continue;
        }
        answer(&header, body, &mut reply);
        write(socket, &reply)?;
    }
}

/// What a server would say whose registers are all 0.
fn answer(header: &Header, body: &[u8], reply: &mut Vec<u8>) {
    const ACCESS: usize = size_of::<RegionAccess>();
    let (echoed, zeros) = match (header.command, RegionAccess::read_from_prefix(body)) {
        (command::VERSION, _) => (body, 0),
        (command::REGION_READ, Ok((access, _))) => {
            (body, usize::try_from(access.count).unwrap_or(LONGEST))
        }
        (command::REGION_WRITE, Ok(_)) => (body.get(..ACCESS).unwrap_or_default(), 0),
        _ => (&[][..], 0),
    };
    let length = echoed.len() + zeros.min(LONGEST);
    reply.clear();
    reply.extend_from_slice(header.reply(length).as_bytes());
    reply.extend_from_slice(echoed);
    reply.resize(HEADER + length, 0);
}
