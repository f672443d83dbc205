# image: languages

cat > main.php <<'END'
<?php
echo php_sapi_name(), shell_exec('echo sh; id -u');
$p = proc_open('cat; exit 3', [['pipe', 'r'], ['pipe', 'w']], $pipes);
fwrite($pipes[0], 'in');
fclose($pipes[0]);
echo stream_get_contents($pipes[1]), proc_close($p), "\n";
$pid = pcntl_fork();
if (!$pid) exit(6);
pcntl_waitpid($pid, $status);
echo pcntl_wexitstatus($status), "\n";
pcntl_async_signals(true);
pcntl_signal(SIGUSR1, function () { echo "usr1\n"; });
posix_kill(getmypid(), SIGUSR1);
$t = tempnam(getcwd(), 'ph');
file_put_contents($t, 'abc');
echo filesize($t), is_writable($t), realpath('/tmp/../tmp'), "\n";
unlink($t);
for ($i = 0, $s = 0; $i < 2000000; $i++) $s += $i % 7;
echo $s, preg_replace('/(a+)b/', 'x$1', 'aaab'), json_encode([1, 'a' => null]), "\n";
$server = stream_socket_server('unix://sock');
$client = stream_socket_client('unix://sock');
fwrite(stream_socket_accept($server), "hey\n");
echo fgets($client), stream_socket_get_name($client, true), "\n";
echo getcwd(), PHP_BINARY, get_current_user(), sys_get_temp_dir(), count(glob('/etc/passw*')) > 0, "\n";
END
php main.php
php -d opcache.enable_cli=1 -d opcache.jit=tracing -d opcache.jit_buffer_size=32M main.php | tail -3
