# image: chromium

cat > page.html <<'END'
<html><body style="background: #0a0"><h1>hello</h1><canvas id="c" width="50" height="50"></canvas><script>
let s = 0; for (let i = 0; i < 1e6; i++) s += i;
document.body.append(s);
const context = document.getElementById('c').getContext('2d'); context.fillStyle = 'red'; context.fillRect(0, 0, 50, 50);
const worker = new Worker(URL.createObjectURL(new Blob(['postMessage(6 * 7)'])));
worker.onmessage = m => { document.title = 'worker ' + m.data; };
</script></body></html>
END
browse() { chromium --headless --no-sandbox --disable-gpu --virtual-time-budget=2000 "$@" "file://$PWD/page.html" 2> log || tail log; }
browse --screenshot="$PWD/shot.png" --window-size=400,300
md5sum shot.png
browse --dump-dom
browse --print-to-pdf="$PWD/page.pdf"
head -c 5 page.pdf; echo
