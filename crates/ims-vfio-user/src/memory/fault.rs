// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Living on when a client's file is made shorter.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use libc::{c_int, siginfo_t};
use rustix::io::Errno;
use rustix::mm::{MapFlags, mmap_anonymous};

use super::registry::{Range, find, protection};

/// Who had bus errors before us. Set before our handler is in place.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Puts the handler in, once for the process.
pub(super) fn install() -> Result<(), Errno> {
    static INSTALLED: OnceLock<Result<(), Errno>> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        let before = ask()?;
        BEFORE.get_or_init(|| before);
        // SAFETY: all zeros is a valid `sigaction`: default action, empty mask.
        let mut ours: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        ours.sa_sigaction = on_bus_error as *const () as usize;
        // On the alternate stack if the thread has one: the handler before may be
        // there to report that a stack is full.
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        change(&ours)
    })
}

/// What is done now on a bus error.
fn ask() -> Result<libc::sigaction, Errno> {
    let mut now = MaybeUninit::zeroed();
    // SAFETY: no action is given, so nothing changes; `now` has room for one.
    if unsafe { libc::sigaction(libc::SIGBUS, null(), now.as_mut_ptr()) } != 0 {
        return Err(last_error());
    }
    // SAFETY: it began as zeros, which is valid, and the call has filled it.
    Ok(unsafe { now.assume_init() })
}

/// Changes what is done on a bus error. Async-signal-safe.
fn change(action: &libc::sigaction) -> Result<(), Errno> {
    // SAFETY: the action is a valid one: ours, or one that was in place before.
    if unsafe { libc::sigaction(libc::SIGBUS, action, null_mut()) } == 0 {
        Ok(())
    } else {
        Err(last_error())
    }
}

fn last_error() -> Errno {
    // SAFETY: the address is this thread's own `errno`, valid as long as it runs.
    Errno::from_raw_os_error(unsafe { *libc::__errno_location() })
}

/// The handler. All it does is async-signal-safe: atomics, system calls that set
/// nothing but `errno`, which is put back, and the handler before.
extern "C" fn on_bus_error(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: this thread's own `errno`.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: with `SA_SIGINFO` the kernel gives a valid `siginfo_t`.
    let code = unsafe { (*info).si_code };
    let mended = code == libc::BUS_ADRERR && {
        // SAFETY: as above; for a bus error the kernel has set its address.
        let address = unsafe { (*info).si_addr() };
        mend(address as usize)
    };
    if !mended {
        pass_on(signal, code, info, context);
    }
    // SAFETY: this thread's own `errno`.
    unsafe { *libc::__errno_location() = errno };
}

/// Puts zeros where a client's file was, if it was one of ours that is touched.
fn mend(address: usize) -> bool {
    let Some((place, range)) = find(address) else {
        return false;
    };
    // Before the zeros are there: who reads them sees that they are none of the
    // client's.
    place.lose();
    // The whole of it, or a client could have us keep each page apart until there
    // are too many. If the system does not grant so much, the page alone.
    let page = address & !range.page.wrapping_sub(1);
    zeros(range.start, range.length, range) || zeros(page, range.page, range)
}

fn zeros(start: usize, length: usize, range: Range) -> bool {
    // SAFETY: the addresses are within a registered mapping, in whole pages of its
    // own size. The thread that faulted is inside it, so it is not unmapped before
    // this returns; it is only used as volatile slices, whose bytes may change at
    // any time. One system call; no lock is taken and nothing is allocated here.
    let mapped = unsafe {
        mmap_anonymous(
            start as *mut c_void,
            length,
            protection(range.writable),
            MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
        )
    };
    mapped.is_ok()
}

/// Not ours: as if we were not here.
fn pass_on(signal: c_int, code: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // What was sent by a process will not come again by itself.
    let sent = code <= 0;
    let Some(before) = BEFORE.get() else {
        // It is set before this handler is in place.
        return;
    };
    match before.sa_sigaction {
        libc::SIG_IGN if sent => {}
        libc::SIG_IGN | libc::SIG_DFL => {
            // A fault comes again when this returns, and then ends the process: the
            // kernel lets no fault be ignored.
            let _ = change(before);
            if sent {
                // SAFETY: async-signal-safe; it stays pending until this returns.
                let _ = unsafe { libc::raise(signal) };
            }
        }
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
            type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
            // SAFETY: with `SA_SIGINFO` this is the address of a function of this
            // type; whoever put it in promised it to be one.
            let handler: Handler = unsafe { std::mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without `SA_SIGINFO`, and neither default nor ignore, this is
            // the address of a function that takes the signal's number.
            let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(handler) };
            handler(signal);
        }
    }
}
