//! What a program must be to run on every machine: static, and small.

/// A larger program is refused.
pub(super) const PROGRAM_MAX: usize = 8 << 20;

/// Why a program cannot be shipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// It is no program for 64-bit Linux.
    #[error("the program is no 64-bit ELF executable")]
    Form,
    /// It needs a loader and libraries of the machine it runs on.
    #[error("the program is not static: it asks for a dynamic loader")]
    Dynamic,
    /// It is too large.
    #[error("the program has {0} bytes, and 8 MiB are allowed")]
    TooLarge(usize),
}

/// Checks that a program is a static executable of at most 8 MiB.
///
/// # Errors
/// When it is not.
pub fn check_program(program: &[u8]) -> Result<(), ProgramError> {
    const INTERPRETER: u32 = 3;
    if program.len() >= PROGRAM_MAX {
        return Err(ProgramError::TooLarge(program.len()));
    }
    let is_64_bit_little_endian = program.starts_with(b"\x7fELF\x02\x01");
    let executable = matches!(half(program, 16), Some(2 | 3));
    if !is_64_bit_little_endian || !executable {
        return Err(ProgramError::Form);
    }
    let word = |at| {
        let bytes = program.get(at..at + 8)?;
        usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let table = word(32).ok_or(ProgramError::Form)?;
    let size = half(program, 54).ok_or(ProgramError::Form)?;
    let count = half(program, 56).ok_or(ProgramError::Form)?;
    for index in 0..usize::from(count) {
        let header = index
            .checked_mul(usize::from(size))
            .and_then(|offset| offset.checked_add(table))
            .and_then(|at| program.get(at..at.checked_add(4)?))
            .ok_or(ProgramError::Form)?;
        if u32::from_le_bytes(header.try_into().expect("four bytes")) == INTERPRETER {
            return Err(ProgramError::Dynamic);
        }
    }
    Ok(())
}

fn half(program: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(program.get(at..at + 2)?.try_into().ok()?))
}
