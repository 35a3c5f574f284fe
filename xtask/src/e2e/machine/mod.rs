// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A virtual machine: how it is started, what it says, how it is stopped.

mod child;
pub(crate) mod console;
mod qmp;
mod vm;

pub(crate) use child::{Child, tied};
pub(crate) use vm::{Config, Unit, Vm};
