// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the guest runs, assembled when the machine is made.
//!
//! ```text
//!   entry     turns the APIC on, tells that it is ready
//!   idle      waits for interrupts, forever
//!   stubs     one a vector: pushes it, and on to one of these
//!     command   the mailbox's vector: one access, as the host wrote it
//!     acknowledging  device, and before it a device's status register
//!     device    any other from 32 on: takes bits, counts, ends the interrupt
//!     exception below 32: tells what happened, and is silent then
//! ```
//!
//! Integer instructions only, few of them: where KVM emulates, each takes about a
//! microsecond. So nobody saves registers. Idling has nothing in them; the command
//! handler, which alone can be interrupted, keeps what it has in r9 to r12, and the
//! others use none of these.

mod apic;
mod command;
mod device;

use iced_x86::code_asm::*;
use iced_x86::{BlockEncoderOptions, IcedError};

use super::MachineError;
use super::layout::{CODE, CODE_BYTES, Layout, block};
use apic::Apic;
pub(super) use command::Access;

/// The mailbox's vector, and the spurious one: it does nothing without a command.
pub(super) const COMMAND_VECTOR: u8 = 0x20;

/// The first vector of interrupts.
const FIRST_INTERRUPT: u16 = 32;

/// Ports by which the guest tells something.
pub(super) mod port {
    /// The vCPU idles, and takes interrupts.
    pub(in super::super) const READY: u16 = 0xe0;
    /// The newest command is done.
    pub(in super::super) const DONE: u16 = 0xe1;
    /// A handler found bits.
    pub(in super::super) const NOTICE: u16 = 0xe2;
    /// An exception.
    pub(in super::super) const EXCEPTION: u16 = 0xe3;
}

/// Assembled code.
#[derive(Debug)]
pub(super) struct Payload {
    /// The code, for [`CODE`].
    pub(super) code: Vec<u8>,
    /// Where a vCPU starts.
    pub(super) entry: u64,
    /// The handler of each vector.
    pub(super) gates: [u64; 256],
    /// Those that acknowledge first.
    pub(super) acknowledging: [u64; 256],
}

impl Payload {
    /// Code for these places.
    pub(super) fn new(layout: &Layout, x2apic: bool, notify: bool) -> Result<Self, MachineError> {
        let payload = assemble(layout, x2apic, notify)
            .map_err(|error| MachineError::Payload(error.to_string()))?;
        if payload.code.len() as u64 > CODE_BYTES {
            return Err(MachineError::Payload("it is too long".into()));
        }
        Ok(payload)
    }
}

fn assemble(layout: &Layout, x2apic: bool, notify: bool) -> Result<Payload, IcedError> {
    let a = &mut CodeAssembler::new(64)?;
    let apic = Apic { x2apic };
    let mut entry = a.create_label();
    let mut command = a.create_label();
    let mut device = a.create_label();
    let mut acknowledging = a.create_label();
    let mut exception = a.create_label();

    a.set_label(&mut entry)?;
    apic.write(a, Apic::SPURIOUS, Apic::ENABLE | u32::from(COMMAND_VECTOR))?;
    tell(a, port::READY)?;
    let mut idle = a.create_label();
    a.set_label(&mut idle)?;
    a.sti()?;
    a.hlt()?;
    a.jmp(idle)?;

    a.set_label(&mut command)?;
    command::handler(a, apic)?;
    a.set_label(&mut acknowledging)?;
    device::acknowledge(a, device)?;
    // And on to:
    a.set_label(&mut device)?;
    device::handler(a, apic, layout, notify)?;
    a.set_label(&mut exception)?;
    exception_handler(a)?;

    let mut stubs = Vec::with_capacity(256);
    for vector in 0..256_u16 {
        let mut stub = a.create_label();
        a.set_label(&mut stub)?;
        if vector < FIRST_INTERRUPT && !has_code(vector) {
            a.push(0)?;
        }
        a.push(i32::from(vector))?;
        a.jmp(match vector {
            ..FIRST_INTERRUPT => exception,
            _ if vector == u16::from(COMMAND_VECTOR) => command,
            _ => device,
        })?;
        stubs.push(stub);
    }

    let mut acknowledging_stubs = Vec::with_capacity(256);
    for vector in 0..256_u16 {
        let mut stub = a.create_label();
        a.set_label(&mut stub)?;
        a.push(i32::from(vector))?;
        a.jmp(acknowledging)?;
        acknowledging_stubs.push(stub);
    }

    let options = BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
    let assembled = a.assemble_options(CODE, options)?;
    let addresses = |stubs: &[CodeLabel]| {
        let mut gates = [0; 256];
        for (gate, stub) in gates.iter_mut().zip(stubs) {
            *gate = assembled.label_ip(stub)?;
        }
        Ok::<_, IcedError>(gates)
    };
    Ok(Payload {
        gates: addresses(&stubs)?,
        acknowledging: addresses(&acknowledging_stubs)?,
        entry: assembled.label_ip(&entry)?,
        code: assembled.inner.code_buffer,
    })
}

/// Whether the CPU pushes an error code (SDM Vol. 3, 7.15; 29 and 30 are AMD's).
fn has_code(exception: u16) -> bool {
    matches!(exception, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

/// An exit: what is told stands in the vCPU's block.
fn tell(a: &mut CodeAssembler, port: u16) -> Result<(), IcedError> {
    a.out(u32::from(port), al)
}

/// A field of the vCPU's block.
fn field(at: u64) -> AsmMemoryOperand {
    qword_ptr(at).gs()
}

/// Tells what happened. The host runs this vCPU no more.
fn exception_handler(a: &mut CodeAssembler) -> Result<(), IcedError> {
    for at in [block::FAULT_VECTOR, block::FAULT_CODE, block::FAULT_RIP] {
        a.pop(rax)?;
        a.mov(field(at), rax)?;
    }
    a.mov(rax, cr2)?;
    a.mov(field(block::FAULT_ADDRESS), rax)?;
    tell(a, port::EXCEPTION)?;
    let mut silent = a.create_label();
    a.set_label(&mut silent)?;
    a.cli()?;
    a.hlt()?;
    a.jmp(silent)
}
