# image: tools
# A wheel built and installed by pip, in a virtual environment and for the system, without an index.

set -e
mkdir -p made/src && cd made
printf 'from setuptools import setup\nsetup(name="made", version="1.0", py_modules=["made"], package_dir={"": "src"}, entry_points={"console_scripts": ["made=made:main"]})\n' > setup.py
printf 'def main():\n    print("made by pip")\n' > src/made.py
pip wheel -q --no-build-isolation --no-deps --no-index -w $HOME/wheels . 2>&1 | grep -v WARNING || true
ls $HOME/wheels
pip install -q --break-system-packages --no-index --root-user-action=ignore $HOME/wheels/made-1.0-py3-none-any.whl
made
pip show -f made | grep -A9 Files
pip uninstall -q -y --break-system-packages --root-user-action=ignore made
python3 -m venv --without-pip $HOME/venv && $HOME/venv/bin/python -c 'import sys; print(sys.prefix != sys.base_prefix)'
