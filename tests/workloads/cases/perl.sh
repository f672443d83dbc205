# image: languages
# status: 9

perl -e '
use strict; use threads; use Socket; use POSIX ":sys_wait_h";
print join(",", map { $_->join } map { my $i = $_; threads->create(sub { $i * 2 }) } 1 .. 4), "\n";
print `echo hi`;
my $pid = fork; exit 3 unless $pid;
waitpid $pid, 0; print $? >> 8, "\n";
$SIG{ALRM} = sub { print "alrm\n" }; alarm 1; select undef, undef, undef, 3;
socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC; syswrite $a, "x\n"; print scalar <$b>;
open my $f, "+>", undef or die; print $f "text"; seek $f, 0, 0; print <$f>, "\n";
print "$0 $^X\n"; exec "sh", "-c", "echo exec; exit 9"'
