//! The commands `completion` and `man`: what shells and manuals read of the command line.

use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Failure, Finding, say};

pub(super) fn print_completion(mut command_line: Command, shell: Shell) -> Finding {
    let name = command_line.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command_line, name, &mut script);
    print(&script)
}

pub(super) fn print_page(command_line: Command) -> Result<Finding, Failure> {
    let mut page = Vec::new();
    Man::new(command_line).render(&mut page)?;
    Ok(print(&page))
}

pub(super) fn write_pages(command_line: Command, folder: &Path) -> Result<Finding, Failure> {
    clap_mangen::generate_to(command_line, folder)
        .map_err(|error| Failure(format!("the manual pages cannot be written to {}: {error}", folder.display())))?;
    say(format_args!("wrote the manual pages to {}", folder.display()));
    Ok(Finding::InOrder)
}

fn print(text: &[u8]) -> Finding {
    say(format_args!("{}", String::from_utf8_lossy(text).trim_end()));
    Finding::InOrder
}
